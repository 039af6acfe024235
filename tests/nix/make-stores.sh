#!/usr/bin/env bash
# Builds the stores that the tests examine, with real Nix, under DIR:
#
#   DIR/fresh      store/ state/ log/ conf/ user/   never optimised, store dir DIR/fresh/store
#   DIR/root       nix/store and nix/var/nix below it, store dir /nix/store, for --root
#   DIR/root-optimised  a copy of that, then nix-store --optimise
#   DIR/partly     a copy of that, then more paths built
#
# Nothing outside DIR is touched. user/ holds what
# a person would have: profiles outside the state dir, `result` links.
#
# Usage: make-stores.sh DIR
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
out=$(cd "$out" && pwd -P)

unset NIX_PATH NIX_REMOTE NIX_USER_CONF_FILES NIX_PROFILES
export HOME="$out/home" LC_ALL=C
mkdir -p "$HOME"
export NIX_CONFIG="sandbox = false
build-users-group =
filter-syscalls = false
substitute = false
fsync-metadata = false
experimental-features = nix-command"

# A builder killed at its very end lost a race in Nix: build again.
again() { "$@" || "$@" || "$@"; }

remove() {
  [ -e "$1" ] || return 0
  chmod -R u+w "$1"
  rm -rf "$1"
}

fill() { # DIR; `store`, `state` and `profiles` say where the store is
  local dir=$1 expr="$here/varied.nix" user=$1/user path
  mkdir -p "$user" "$state/profiles" "$state/gcroots"
  again nix-build "${store[@]}" --quiet "$expr" -A everything -o "$user/result" >/dev/null
  # Profile generations, in the state dir and in a directory of the user's.
  for path in $(again nix-build "${store[@]}" --quiet --no-out-link "$expr" -A generations); do
    nix-env "${store[@]}" -p "$profiles/system" --set "$path"
    nix-env "${store[@]}" -p "$user/profile" --set "$path"
  done
  # An indirect root elsewhere, a direct one, and one whose target has gone.
  path=$(readlink "$user/result")
  nix-store "${store[@]}" -r "$path" --add-root "$user/indirect" --indirect >/dev/null
  ln -sfn "$path" "$state/gcroots/direct"
  nix-store "${store[@]}" -r "$path" --add-root "$user/gone" --indirect >/dev/null
  rm "$user/gone"
  again nix-build "${store[@]}" --quiet --no-out-link "$expr" -A dead >/dev/null
  # Two paths with signatures, of one key and of two.
  nix-store "${store[@]}" --generate-binary-cache-key test-1 "$user/secret" "$user/public"
  nix-store "${store[@]}" --generate-binary-cache-key other-1 "$user/secret2" "$user/public2"
  path=$(nix-build "${store[@]}" --quiet --no-out-link "$expr" -A generations | head -1)
  nix store sign "${store[@]}" -k "$user/secret" "$path"
  nix store sign "${store[@]}" -k "$user/secret2" "$path"
  nix store sign "${store[@]}" -k "$user/secret" "$(nix-build "${store[@]}" --quiet --no-out-link "$expr" -A dead)"
  # Added by hand: content addressed, not ultimate.
  nix-store "${store[@]}" --add "$here/src" >/dev/null
  nix-store "${store[@]}" --add-fixed sha256 "$here/src/plain.txt" >/dev/null
}

# A store with a store dir of its own.
dir=$out/fresh
remove "$dir"
export NIX_STORE_DIR=$dir/store NIX_STATE_DIR=$dir/state NIX_LOG_DIR=$dir/log NIX_CONF_DIR=$dir/conf
export NIX_LOCALSTATE_DIR=$dir
mkdir -p "$NIX_STORE_DIR" "$NIX_CONF_DIR"
store=() state=$NIX_STATE_DIR profiles=$NIX_STATE_DIR/profiles
fill "$dir"

# The layout of a machine's or an image's root directory: the store dir is /nix/store
# in its database, and lies below DIR/root. Nix builds such a store in a sandbox only,
# which shows the builder this machine's /bin/sh.
dir=$out/root
remove "$dir"
unset NIX_STORE_DIR NIX_STATE_DIR NIX_LOG_DIR NIX_LOCALSTATE_DIR
export NIX_CONF_DIR=$out/conf
sandbox_paths=
for p in /bin /usr /lib /lib64; do [ -e "$p" ] && sandbox_paths+=" $p"; done
NIX_CONFIG="${NIX_CONFIG/sandbox = false/sandbox = true}
sandbox-paths =$sandbox_paths"
mkdir -p "$dir/nix/store" "$NIX_CONF_DIR"
store=(--store "$dir") state=$dir/nix/var/nix profiles=$dir/nix/var/nix/profiles
fill "$dir"
# A `result` link of the image's own, as a user of that machine would have left it.
mkdir -p "$dir/home/user"
cp -P "$dir/user/result" "$dir/home/user/result"
name=$(printf /home/user/result | nix-hash --flat --type sha1 --base32 /dev/stdin)
ln -s /home/user/result "$dir/nix/var/nix/gcroots/auto/$name"

# That layout again, copied as it is and optimised. Such a store can be copied and examined
# anew, since its database names no directory of this machine.
remove "$out/root-optimised"
cp -a "$dir" "$out/root-optimised"
nix-store --store "$out/root-optimised" --optimise

# And again, with more paths built after that.
remove "$out/partly"
cp -a "$out/root-optimised" "$out/partly"
again nix-build --store "$out/partly" --quiet --no-out-link "$here/varied.nix" -A late >/dev/null
