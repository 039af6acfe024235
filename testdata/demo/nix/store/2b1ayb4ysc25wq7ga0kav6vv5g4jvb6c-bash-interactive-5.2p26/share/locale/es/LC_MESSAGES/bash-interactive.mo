bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/es/LC_MESSAGES/bash-interactive.mo: invent