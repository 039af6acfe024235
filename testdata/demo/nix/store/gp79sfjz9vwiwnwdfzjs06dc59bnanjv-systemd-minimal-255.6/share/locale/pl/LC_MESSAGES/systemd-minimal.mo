systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/pl/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-m