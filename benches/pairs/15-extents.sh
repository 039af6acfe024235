# shellcheck shell=bash
section 'Extents'
# E is a copy of B on btrfs (compress=zstd), X one of any store on XFS with reflinks; see
# "Extents" in README.md.
: "${E:=/var/tmp/extents/btrfs}" "${X:=/var/tmp/extents/xfs}"
census="report --all --format csv"
nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
needs=$E/nix/store
pair extents-compsize '`report --all` on btrfs as root against compsize' 0.46 5 "$N --root $E $census --extents exact" "compsize -x $E/nix/store"
pair extents-walk 'the same against the walk alone (`--extents never`)' 1.5 5 "$N --root $E $census --extents exact" "$N --root $E $census --extents never"
pair extents-cold 'against compsize, cold' - 2 "$N --root $E $census --extents exact" "compsize -x $E/nix/store" -c
pair extents-cold-walk 'against the walk alone, cold' - 2 "$N --root $E $census --extents exact" "$N --root $E $census --extents never" -c
pair extents-nobody 'each file asked, as nobody, against compsize' - 3 "$nobody $N --root $E $census --extents exact" "compsize -x $E/nix/store"
pair extents-nobody-walk 'the same against the walk alone' - 3 "$nobody $N --root $E $census --extents exact" "$nobody $N --root $E $census --extents never"
needs=$X/nix/store
pair extents-xfs 'each file asked on XFS against the walk alone' 3 5 "$N --root $X $census --extents exact" "$N --root $X $census --extents never"
needs=
