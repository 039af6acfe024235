systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/de/LC_MESSAGES/systemd.mo: invente