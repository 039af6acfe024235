#!/usr/bin/env bash
# Makes the big real stores that the benchmarks walk, out of unpacked Debian packages,
# by real Nix: OUT, never optimised, and OUT-optimised, a copy after
# `nix-store --optimise`. Both are roots: OUT/nix/store and OUT/nix/var/nix, store dir
# /nix/store, to be examined with `nix-census --root OUT` and by Nix with
# `nix --store OUT path-info …`.
#
# Needs Debian 12 or an apt that knows its packages, root, nix-bin, dpkg; downloads
# 1.6 GB into OUT-debs (kept, so that a second run needs no network), and takes some
# 20 GB of disk in all and half an hour.
#
# Usage: benches/make-store.sh OUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
debs=$out-debs
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "downloading into $debs"
mkdir -p "$debs/partial"
: >"$scratch/status" # as if nothing were installed here: all dependencies come along
mapfile -t packages < <(grep -v -e '^#' -e '^alone: ' "$here/packages.txt")
mapfile -t alone < <(sed -n 's/^alone: //p' "$here/packages.txt")
apt-get -q -o Dir::State::status="$scratch/status" -o Dir::Cache::archives="$debs" \
  -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
  install -y --download-only --no-install-recommends "${packages[@]}" >"$scratch/apt.log"
(cd "$debs" && apt-get -q download "${alone[@]}" >>"$scratch/apt.log")

# The packages as a Nix list, dependencies first; what would close a cycle is left out.
echo "reading dependencies"
for deb in "$debs"/*.deb; do
  dpkg-deb -W --showformat='${Package}\t${Version}\t${Pre-Depends}, ${Depends}\t' "$deb"
  printf '%s\n' "${deb##*/}"
done | awk -F'\t' '
  { version[$1] = $2; depends[$1] = $3; deb[$1] = $4; order[NR] = $1 }
  function visit(p,   n, i, parts, d, seen, text) {
    state[p] = 1
    n = split(depends[p], parts, /[,|]/)
    for (i = 1; i <= n; i++) {
      d = parts[i]; sub(/^ +/, "", d); sub(/[ :(].*/, "", d)
      if (d == "" || !(d in version) || d in seen) continue
      seen[d] = 1
      if (!(d in state)) visit(d)
      if (state[d] == 2) text = text " \"" d "\""
    }
    state[p] = 2
    sub(/^[0-9]+:/, "", version[p]); gsub(/[^0-9a-zA-Z+._?=-]/, "-", version[p])
    printf "{ name = \"%s\"; version = \"%s\"; deb = \"%s\"; dependencies = [%s ]; }\n", p, version[p], deb[p], text
  }
  BEGIN { print "[" }
  END { for (i = 1; i <= NR; i++) if (!(order[i] in state)) visit(order[i]); print "]" }
' >"$scratch/list.nix"

unset NIX_PATH NIX_REMOTE NIX_STORE_DIR NIX_STATE_DIR NIX_LOG_DIR NIX_LOCALSTATE_DIR
export HOME=$scratch NIX_CONF_DIR=$scratch
export NIX_CONFIG="sandbox = true
sandbox-paths = /bin /usr /lib /lib64 /debs=$debs
build-users-group =
filter-syscalls = false
substitute = false
fsync-metadata = false
experimental-features = nix-command"
mkdir -p "$out/nix/store" "$out/nix/var/nix/profiles"
for generation in first second; do
  echo "building the $generation generation"
  built=
  for _ in 1 2 3; do # a builder killed at its very end lost a race in Nix
    built=$(nix-build --store "$out" --keep-going --max-jobs "$(nproc)" --no-out-link \
      "$here/make-store.nix" --arg list "$scratch/list.nix" -A $generation 2>"$out-build.log") && break
  done
  [ -n "$built" ] || { tail "$out-build.log"; exit 1; }
  nix-env --store "$out" -p "$out/nix/var/nix/profiles/system" --set "$built"
done
rm -f "$out-build.log"

echo "copying and optimising"
rm -rf "$out-optimised"
cp -a "$out" "$out-optimised"
nix-store --store "$out-optimised" --optimise 2>&1 | tail -1

for store in "$out" "$out-optimised"; do
  echo "$store: $(nix --store "$store" path-info --all | wc -l) valid paths," \
    "$(find "$store/nix/store" | wc -l) entries, $(du -s --block-size=1 "$store/nix/store" | cut -f1) bytes of disk"
done
