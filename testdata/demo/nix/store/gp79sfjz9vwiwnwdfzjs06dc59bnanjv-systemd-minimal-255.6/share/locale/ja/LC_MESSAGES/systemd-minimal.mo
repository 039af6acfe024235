systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-minimal share/locale/ja/LC_MESSAGES/systemd-minimal.mo: invented content
systemd-m