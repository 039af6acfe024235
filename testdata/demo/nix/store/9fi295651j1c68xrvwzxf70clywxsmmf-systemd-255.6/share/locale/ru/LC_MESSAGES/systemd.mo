systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ru/LC_MESSAGES/systemd.mo: invente