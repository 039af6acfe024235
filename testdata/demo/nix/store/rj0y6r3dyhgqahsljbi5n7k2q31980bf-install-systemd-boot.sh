#!/nix/store/7d5jn2rwc16fr9gr18lvzdrd71v27w8z-bash-5.2p26/bin/bash
set -e
/nix/store/fpdag2adaiv717w4cd5rx1jsyphhcy98-systemd-boot-builder.py "$@"
/nix/store/52q38d5226mfrph9jh4ni7wa0ix48cfy-coreutils-9.5/bin/sync
