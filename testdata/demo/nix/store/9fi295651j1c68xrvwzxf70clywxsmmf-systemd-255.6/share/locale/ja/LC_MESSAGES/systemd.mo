systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invented content
systemd share/locale/ja/LC_MESSAGES/systemd.mo: invente