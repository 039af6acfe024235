# shellcheck shell=bash
section 'Audit'
pair audit-scan '`audit` (stat alone) against a plain scan' 1.3 7 "$N --root $B audit" "$N --root $B report --all --format csv"
pair audit-verify '`audit --contents` against `nix store verify --all --no-trust`, all cores' 0.60 3 "$N --root $B audit --contents" "$nix --store $B store verify --all --no-trust"
pair audit-check '`audit --contents` against `nix-store --verify --check-contents`, one core' 0.35 3 "$N --root $B audit --contents" "nix-store --store $B --verify --check-contents"
pair audit-cold 'the same, cold' 0.35 2 "$N --root $B audit --contents" "nix-store --store $B --verify --check-contents" -c
if to_run 'audit-floor*'; then
  bytes=$("$N" --root "$B" --quiet audit --contents --json | sed -n 's/.*"bytes_hashed": *\([0-9]*\).*/\1/p' | head -n 1)
fi
pair audit-floor '`audit --contents` against hashing as many bytes that are in memory already' 1.18 5 "$N --root $B audit --contents" "$(built hashing) ${bytes-}"
pair audit-floor-read 'the same, and reading the files without doing anything with them' 1.18 5 "$N --root $B audit --contents" "$(built hashing) --read $B/nix/store ${bytes-}"
serial audit-serial '`audit --contents`, serial share' '10 %' 3 "$N --root $B audit --contents --threads THREADS"
