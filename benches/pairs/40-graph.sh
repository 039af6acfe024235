# shellcheck shell=bash
section 'Questions of the graph'
# P is the path with the largest closure, L a libc in it.
if to_run 'graph-*'; then
  P=$("$N" --root "$B" --no-disk --quiet report --all --format csv --columns path --sort closure_nar_size --limit 1 | tail -n 1)
  L=$("$N" --root "$B" --no-disk --quiet report "$P" --format csv --columns path --limit 0 | grep -m 1 -E -- '-(glibc-[0-9.]+|libc6-[0-9.]+-[0-9a-z+]+)$' || true)
fi
pair graph-why '`why` against `nix why-depends`' 0.3 7 "$N --root $B --no-disk why ${P-} ${L-}" "$nix --store $B why-depends ${P-} ${L-}"
pair graph-why-precise 'the same with `--precise`' 0.3 3 "$N --root $B why ${P-} ${L-} --precise" "$nix --store $B why-depends --precise ${P-} ${L-}"
pair graph-why-all '`why --all-chains` against `why-depends --all`' 0.3 3 "$N --root $B --no-disk why ${P-} ${L-} --all-chains" "$nix --store $B why-depends --all ${P-} ${L-}"
pair graph-tree '`tree --no-disk` against `nix-store -q --tree`' 0.3 5 "$N --root $B --no-disk tree ${P-}" "nix-store --store $B -q --tree ${P-}"
pair graph-suggest '`suggest` against a plain report' 2 5 "$N --root $B suggest ${P-}" "$N --root $B report ${P-}"
pair graph-what-if '`what-if --remove` against a plain report' 2 5 "$N --root $B what-if ${P-} --remove ${L-}" "$N --root $B report ${P-}"
