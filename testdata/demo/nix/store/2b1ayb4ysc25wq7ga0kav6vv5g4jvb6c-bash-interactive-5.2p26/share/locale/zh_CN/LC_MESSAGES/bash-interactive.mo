bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/zh_CN/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/l