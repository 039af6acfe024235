#!/nix/store/7d5jn2rwc16fr9gr18lvzdrd71v27w8z-bash-5.2p26/bin/bash
security-wrappers bin/suid-sgid-wrappers.sh: invented content
security-wrappers bin/suid-sgid-wrappewrap /nix/store/bsgr58kj7amkkz3r2ilrlqp6sh3zvbbi-sudo-1.9.15p5/bin/sudo
wrap /nix/store/ngzs3s2x1j1p56hi4xs3ji6hlmrzggqa-fuse-3.16.2-bin/bin/fusermount3
wrap /nix/store/ba6rsw111kma34hiiky1yg4bb3dndfpz-dbus-1.14.10/libexec/dbus-daemon-launch-helper
