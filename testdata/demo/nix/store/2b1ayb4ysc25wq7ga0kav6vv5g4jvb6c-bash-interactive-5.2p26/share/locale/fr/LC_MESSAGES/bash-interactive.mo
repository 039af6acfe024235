bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/fr/LC_MESSAGES/bash-interactive.mo: invent