systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/de/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-m