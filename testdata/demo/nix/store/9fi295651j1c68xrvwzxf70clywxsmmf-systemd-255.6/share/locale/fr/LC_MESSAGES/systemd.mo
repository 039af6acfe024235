systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/fr/LC_MESSAGES/systemd.mo: invente