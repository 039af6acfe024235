bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/ja/LC_MESSAGES/bash-interactive.mo: invent