bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invented content
bash-interactive share/locale/uk/LC_MESSAGES/bash-interactive.mo: invent