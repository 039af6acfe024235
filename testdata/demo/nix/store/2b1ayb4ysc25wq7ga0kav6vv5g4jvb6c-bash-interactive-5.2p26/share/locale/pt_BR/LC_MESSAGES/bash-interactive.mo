bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/pt_BR/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/l