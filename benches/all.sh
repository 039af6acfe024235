#!/usr/bin/env bash
# Runs the pairs of benches/pairs and writes what came of them into benches/README.md,
# between its markers: medians of runs in turn, ours divided by the other's, beside
# what was wanted. What a run leaves out keeps the figures of the run before
# (benches/results.tsv), with their day.
#
# Usage: all.sh [--quick] [--list] [NAME…]
#   --quick  each pair once
#   --list   the names of the pairs, and nothing else
#   NAME     only the pairs of these names; may be patterns: 'scan-*'
#
# Stores: B (never optimised), O (the same after nix-store --optimise), both made by
# make-store.sh, and G (made here by generate-db); each may be set from outside.
# A pair is one line of a file in benches/pairs; see there.
set -euo pipefail
cd "$(dirname "$0")/.."
export HOME=${HOME:-/root} LC_ALL=C
: "${B:=/var/tmp/store}" "${O:=/var/tmp/store-optimised}" "${G:=/var/tmp/generated}"
N=$PWD/target/release/nix-census
quick= list=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --list) list=1 ;;
    -*) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"; exit 2 ;;
    *) break ;;
  esac
  shift
done
wanted_names=("$@")
results=benches/results.tsv
today=$(date +%F)
built() { ls -t "$PWD/target/release/deps/$1"-* 2>/dev/null | grep -v '\.d$' | head -n 1; }
nix='nix --extra-experimental-features nix-command'

chosen() { # NAME
  [ ${#wanted_names[@]} -gt 0 ] || return 0
  local pattern
  # shellcheck disable=SC2053 # a pattern
  for pattern in "${wanted_names[@]}"; do [[ $1 == $pattern ]] && return 0; done
  return 1
}

# Whether a pair of such a name is to be run, for which something is to be made first.
to_run() { # PATTERN
  [ -z "$list" ] || return 1
  local name
  for name in $(sed -nE 's/^(pair|serial) ([^ ]+) .*/\2/p' benches/pairs/*.sh); do
    # shellcheck disable=SC2053 # a pattern
    [[ $name == $1 ]] && chosen "$name" && return 0
  done
  return 1
}

section=
section() { section=$1; }

keep() { # NAME LABEL WANTED WALL CPU OURS THEIRS NOTE
  local line
  line=$(printf '%s\t' "$1" "$section" "$2" "$3" "$4" "$5" "$6" "$7" "$today")$8
  touch "$results"
  awk -F '\t' -v name="$1" '$1 != name' "$results" >"$results.new"
  printf '%s\n' "$line" >>"$results.new"
  mv "$results.new" "$results"
  printf '%s\n' "$line" | tr '\t' ' '
}

all_names=()
# What the pairs that follow need; they are not measured without.
needs=
# pair NAME WHAT WANTED RUNS OURS THEIRS [-c]: the wall time of OURS is to be at most
# WANTED of that of THEIRS; `-` for no wish, `cpu:0.9` for processor time. -c drops
# the page cache before each run.
pair() {
  local name=$1 what=$2 wanted=$3 runs=$4 ours=$5 theirs=$6 cold=${7-}
  all_names+=("$name")
  if [ -n "$list" ]; then echo "$name"; return; fi
  chosen "$name" || return 0
  if [ -n "$needs" ] && [ ! -e "$needs" ]; then
    echo "$name: not measured: there is no $needs" >&2
    return
  fi
  local program word
  for word in $theirs; do
    case $word in *=*) ;; *) program=$word; break ;; esac
  done
  if [ -z "${program-}" ] || ! command -v "$program" >/dev/null; then
    echo "$name: not measured: there is no ${program:-program}" >&2
    return
  fi
  [ -z "$quick" ] || runs=1
  local table wall cpu ours_s theirs_s our_status status
  table=$(benches/pair.sh $cold "$runs" "$ours" "$theirs")
  read -r ours_s _ _ _ _ our_status _ < <(sed -n 2p <<<"$table")
  read -r theirs_s _ _ wall cpu status _ < <(sed -n 3p <<<"$table")
  local note="$runs runs"
  [ "$our_status" = 0 ] || note+=", exit status $our_status of ours"
  [ "$status" = 0 ] || note+=", exit status $status of the other"
  keep "$name" "$what" "$wanted" "$wall" "$cpu" "$ours_s" "$theirs_s" "$note"
}

# serial NAME WHAT WANTED RUNS COMMAND: the part of the command's time that does not
# become shorter with a second thread, in per cent (Amdahl), and the processor time of two
# threads divided by that of one: what it is above 1 is no serial work, but what two cores
# take from each other. The command holds THREADS where the number of threads goes.
serial() {
  local name=$1 what=$2 wanted=$3 runs=$4 command=$5
  all_names+=("$name")
  if [ -n "$list" ]; then echo "$name"; return; fi
  chosen "$name" || return 0
  [ -z "$quick" ] || runs=1
  local table one two share cpu
  table=$(benches/pair.sh "$runs" "RAYON_NUM_THREADS=2 ${command//THREADS/2}" "RAYON_NUM_THREADS=1 ${command//THREADS/1}")
  read -r two _ < <(sed -n 2p <<<"$table")
  read -r one _ _ _ cpu _ < <(sed -n 3p <<<"$table")
  share=$(awk -v one="$one" -v two="$two" 'BEGIN { s = 2 * two / one - 1; printf "%.0f %%", 100 * (s > 0 ? s : 0) }')
  keep "$name" "$what" "$wanted" "$share" "$cpu" "$two" "$one" "$runs runs, 2 threads and 1"
}

for file in benches/pairs/*.sh; do
  # shellcheck source=/dev/null
  . "$file"
done
[ -z "$list" ] || exit 0

# The tables, in the order of the files in benches/pairs.
tables() {
  local machine
  machine=$(awk -F ': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
  echo
  echo "Written by benches/all.sh; last on $today: $(nproc) cores ($machine), Linux $(uname -r)."
  printf '%s\n' "${all_names[@]}" | awk -F '\t' '
    NR == FNR { row[$1] = $0; next }
    $1 in row {
      split(row[$1], f, "\t")
      if (f[2] != last) {
        last = f[2]
        printf "\n### %s\n\n| | wanted, at most | wall | CPU | seconds, ours and the other | |\n|---|---|---|---|---|---|\n", last
      }
      wish = f[4]; reached = f[5]
      if (sub(/^cpu:/, "CPU ", wish)) reached = f[6]
      bold = wish != "-" && wish !~ /%/ && reached + 0 > substr(wish, match(wish, /[0-9]/)) + 0 || wish ~ /%/ && reached + 0 > wish + 0
      wall = f[5]; cpu = f[6]
      if (bold && f[4] ~ /^cpu:/) cpu = "**" cpu "**"
      else if (bold) wall = "**" wall "**"
      printf "| %s (`%s`) | %s | %s | %s | %s, %s | %s, %s |\n", f[3], f[1], wish == "-" ? "" : wish, wall, cpu, f[7], f[8], f[9], f[10]
    }' "$results" -
  echo
}
begin='<!-- begin: benches/all.sh -->' end='<!-- end: benches/all.sh -->'
grep -Fqx -- "$begin" benches/README.md && grep -Fqx -- "$end" benches/README.md
{
  sed "\\#^$begin\$#q" benches/README.md
  tables
  sed -n "\\#^$end\$#,\$p" benches/README.md
} >benches/README.md.new
mv benches/README.md.new benches/README.md
