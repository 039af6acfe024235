systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/pl/LC_MESSAGES/systemd.mo: invente