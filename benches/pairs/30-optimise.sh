# shellcheck shell=bash
section 'Optimise'
pair optimise-jdupes '`optimise` against jdupes' 0.35 7 "$N --root $B optimise" "jdupes -r -q -m $B/nix/store"
pair optimise-fclones '`optimise` against fclones' 0.22 7 "$N --root $B optimise" "fclones group --hidden $B/nix/store"
pair optimise-cold 'against jdupes, cold' 0.50 2 "$N --root $B optimise" "jdupes -r -q -m $B/nix/store" -c
pair optimise-done 'a store optimised already, against its plain scan' 1.5 7 "$N --root $O optimise --json" "$N --root $O report --all --format csv"
serial optimise-serial '`optimise`, serial share' '10 %' 5 "$N --root $B optimise --json --threads THREADS"
