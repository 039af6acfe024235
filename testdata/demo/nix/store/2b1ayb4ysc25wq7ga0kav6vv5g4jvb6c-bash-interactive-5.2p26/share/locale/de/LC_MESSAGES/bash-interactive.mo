bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/de/LC_MESSAGES/bash-interactive.mo: invent