systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ru/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-m