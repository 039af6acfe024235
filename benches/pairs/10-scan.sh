# shellcheck shell=bash
# Each line: pair NAME WHAT WANTED RUNS OURS THEIRS [-c], or serial NAME WHAT WANTED RUNS COMMAND.
section 'Scanning a store'
csv='report --all --format csv'
pair scan-pdu '`report --all` against pdu, not optimised' 0.75 9 "$N --root $B $csv" "pdu --max-depth 1 $B/nix/store"
pair scan-pdu-links 'the same against pdu -H, optimised' 0.55 7 "$N --root $O $csv" "pdu -H --max-depth 1 $O/nix/store"
pair scan-du '`report --all` against du -s, not optimised' 0.60 9 "$N --root $B $csv" "du -s $B/nix/store"
pair scan-du-links 'the same, optimised' 0.60 7 "$N --root $O $csv" "du -s $O/nix/store"
pair scan-floor 'against reading directories and `statx` alone, not optimised' 1.15 9 "$N --root $B $csv" "$(built floor) $B/nix/store --threads 8"
pair scan-floor-links 'the same, optimised' 1.15 7 "$N --root $O $csv" "$(built floor) $O/nix/store"
pair scan-cold 'against pdu, cold, not optimised' 0.50 3 "$N --root $B $csv" "pdu --max-depth 1 $B/nix/store" -c
pair scan-cold-links 'against pdu -H, cold, optimised' 0.50 3 "$N --root $O $csv" "pdu -H --max-depth 1 $O/nix/store" -c
pair scan-kinds '`kinds --all` against `report --all`' cpu:1.15 7 "$N --root $B kinds --all --format csv" "$N --root $B $csv"
serial scan-serial '`report --all`, serial share' '10 %' 7 "$N --root $B $csv --threads THREADS"
