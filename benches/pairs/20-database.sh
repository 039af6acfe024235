# shellcheck shell=bash
section 'The database alone'
# 300,000 paths, 3,000,000 references.
if to_run 'database-*' && [ ! -e "$G/nix/var/nix/db/db.sqlite" ]; then
  "$(built generate-db)" "$G" 300000
fi
at="NIX_STORE_DIR=$G/nix/store NIX_STATE_DIR=$G/nix/var/nix"
all="$at $nix path-info --all --json"
pair database-real 'real paths, `report --all` as JSON against `path-info --all -S`' 0.20 3 "$N --root $B --no-disk report --all --json" "$nix --store $B path-info --all -S"
pair database-table '300,000 paths, `report --all` as a table against `path-info --all --json`' 0.10 3 "$at $N --no-disk report --all" "$all"
pair database-json 'the same as JSON, with all columns' 0.085 3 "$at $N --no-disk report --all --json" "$all"
pair database-load 'loading 300,000 paths against the report of them as JSON' - 5 "$at $N --no-disk why no-such-path" "$at $N --no-disk report --all --json -n 1"
if to_run database-snapshot; then rm -f "$G.census"; env $at "$N" --no-disk --quiet snapshot -o "$G.census"; fi
pair database-snapshot 'loading their snapshot against loading the database' 0.50 5 "$N --snapshot $G.census why no-such-path" "$at $N --no-disk why no-such-path"
