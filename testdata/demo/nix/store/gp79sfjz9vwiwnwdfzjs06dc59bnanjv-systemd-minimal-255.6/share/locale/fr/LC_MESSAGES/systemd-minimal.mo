systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/fr/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-m