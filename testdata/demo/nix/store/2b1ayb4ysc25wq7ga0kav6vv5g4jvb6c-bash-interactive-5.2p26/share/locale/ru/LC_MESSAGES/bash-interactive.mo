bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ru/LC_MESSAGES/bash-interactive.mo: invent