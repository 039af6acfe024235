#!/usr/bin/env bash
# Makes testdata/demo with real Nix: needs nix (2.4 or newer), root or user
# namespaces, and sqlite3. Replaces what is there. See README.md beside this file.
#
# Usage: testdata/make-demo.sh [DIR]
set -eu # no pipefail: `yes | head` ends by a broken pipe
here=$(cd "$(dirname "$0")" && pwd)
demo=${1:-$here/demo}
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT

unset NIX_PATH NIX_REMOTE NIX_STORE_DIR NIX_STATE_DIR NIX_LOG_DIR NIX_LOCALSTATE_DIR
export LC_ALL=C HOME=$scratch NIX_CONF_DIR=$scratch
sandbox_paths=
for p in /bin /usr /lib /lib64; do [ -e "$p" ] && sandbox_paths+=" $p"; done
# Without a WAL the database is one file, whole whenever nobody writes.
export NIX_CONFIG="sandbox = true
sandbox-paths =$sandbox_paths
build-users-group =
filter-syscalls = false
substitute = false
fsync-metadata = false
use-sqlite-wal = false
auto-optimise-store = false
experimental-features = nix-command"

# Nixpkgs: many small directories with a small file each.
source=$scratch/nixpkgs
i=0
while [ $i -lt 130 ]; do
  dir=$source/pkgs/by-name/p$((i % 13))/package-$i
  mkdir -p "$dir"
  { printf '{ lib, stdenv, fetchurl }:\n# package %s\n' $i
    yes "  # invented content of package $i" | head -c $((4200 + i % 11 * 260)); } >"$dir/package.nix"
  i=$((i + 1))
done
mkdir -p "$source/nixos/modules" "$source/lib" "$source/doc"
for f in nixos/modules/all-packages.nix lib/default.nix doc/manual.md; do
  yes "# invented content of $f" | head -c 45000 >"$source/$f"
done
printf '{ }: { }\n' >"$source/default.nix"

store=$scratch/root
mkdir -p "$store/nix/store" "$store/nix/var/nix/profiles"
again() { "$@" || "$@" || "$@"; }
build() {
  again nix-build --store "$store" --quiet --no-out-link "$here/make-demo.nix" \
    --arg nixpkgs "builtins.path { name = \"source\"; path = $source; }" -A "$1"
}
older=$(build older)
newer=$(build newer)
build forgotten >/dev/null
profile=$store/nix/var/nix/profiles/system
nix-env --store "$store" -p "$profile" --set "$older"
nix-env --store "$store" -p "$profile" --set "$newer"

# As if substituted: signed by a cache, all but what the machine built of itself.
nix-store --store "$store" --generate-binary-cache-key cache.demo-1 "$scratch/secret" "$scratch/public"
nix-store --store "$store" -qR "$newer" | grep -Ev 'nixos-system|etc|system-path|unit-|initrd' |
  xargs nix store sign --store "$store" -k "$scratch/secret"

# What the rest of Nix's state would be on that machine, and not where this was made:
# the roots that nix-env made below its root's own path lose that prefix.
state=$store/nix/var/nix
rm -rf "$state/gcroots"
mkdir -p "$state/gcroots/auto"
ln -s /nix/var/nix/profiles "$state/gcroots/profiles"
ln -s /run/current-system "$state/gcroots/current-system"
ln -s /run/booted-system "$state/gcroots/booted-system"
mkdir -p "$store/run" # as a NixOS that runs has it
ln -s "$newer" "$store/run/current-system"
for n in 1 2; do
  link=/nix/var/nix/profiles/system-$n-link
  ln -s "$link" "$state/gcroots/auto/$(printf %s $link | nix-hash --flat --type sha1 --base32 /dev/stdin)"
done
# A `result` link in a home directory keeps one more path, and one is stale.
mkdir -p "$store/home/demo"
ln -s "$(nix-store --store "$store" -qR "$newer" | grep -- -curl-)" "$store/home/demo/result"
for link in /home/demo/result /home/demo/gone; do
  ln -s "$link" "$state/gcroots/auto/$(printf %s $link | nix-hash --flat --type sha1 --base32 /dev/stdin)"
done

# Git keeps no empty directories, and nobody needs locks and reserved space.
nix-store --store "$store" --verify --check-contents
mkdir "$scratch/out"
mkdir -p "$scratch/out/nix/var/nix/db" "$scratch/out/nix/store"
cp -a "$state/gcroots" "$state/profiles" "$scratch/out/nix/var/nix/"
find "$scratch/out/nix/var" -type d -empty -delete
mkdir -p "$scratch/out/nix/var/nix/db"
cp -a "$store"/nix/store/* "$scratch/out/nix/store/"
cp -a "$store/home" "$store/run" "$scratch/out/"
cp "$state/db/schema" "$state/db/db.sqlite" "$scratch/out/nix/var/nix/db/"
sqlite3 "$scratch/out/nix/var/nix/db/db.sqlite" 'PRAGMA journal_mode = DELETE; VACUUM; PRAGMA integrity_check;'
if [ -n "$(find "$scratch/out" -type d -empty)" ] || [ -n "$(find "$scratch/out" -type f -links +1)" ]; then
  echo "git would not keep this: empty directories or hard links" >&2
  exit 1
fi
if [ -e "$demo" ]; then chmod -R u+w "$demo"; rm -rf "$demo"; fi
cp -a -T "$scratch/out" "$demo"
# As git would check it out.
chmod -R u+w "$demo"
du -sh --apparent-size "$demo"
echo "now: NIX_CENSUS_UPDATE=1 cargo test --test it demo::"
