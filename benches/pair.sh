#!/usr/bin/env bash
# Times commands in turn, A B … A B …, and prints medians and the ratio of the
# first to each: what a noisy machine does to one, it does to all.
#
# Usage: pair.sh [-c] RUNS COMMAND COMMAND…
#   -c  drop the page cache before each run (root)
# Needs GNU time. One more run of each, first, is not counted. Exit statuses
# are printed, not judged.
set -euo pipefail
cold=
if [ "${1-}" = -c ]; then cold=1; shift; fi
runs=$1
shift
figures=$(mktemp -d)
trap 'rm -rf "$figures"' EXIT
for ((run = 0; run <= runs; run++)); do
  i=0
  for command in "$@"; do
    if [ -n "$cold" ]; then
      sync
      echo 3 >/proc/sys/vm/drop_caches
    fi
    # In the shell: GNU time counts hundredths of a second, and starts a shell too.
    timed="start=\$EPOCHREALTIME
$command
status=\$?
echo \$start \$EPOCHREALTIME >'$figures/wall'
exit \$status"
    env time -q -f '%U %S %M %x' -o "$figures/one" bash -c "$timed" >/dev/null 2>&1 || true
    [ $run -eq 0 ] || echo "$(awk '{ printf "%.4f", $2 - $1 }' "$figures/wall") $(tail -n 1 "$figures/one")" >>"$figures/$i"
    i=$((i + 1))
  done
done
median() { # FILE, AWK EXPRESSION
  awk "{ print $2 }" "$1" | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
first_wall=$(median "$figures/0" '$1')
first_cpu=$(median "$figures/0" '$2 + $3')
printf '%9s %9s %9s %6s %6s %6s  %s\n' wall-s cpu-s peak-KiB wall cpu exit command
i=0
for command in "$@"; do
  wall=$(median "$figures/$i" '$1')
  cpu=$(median "$figures/$i" '$2 + $3')
  ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "-" }'; }
  printf '%9s %9s %9s %6s %6s %6s  %s\n' "$wall" "$cpu" "$(median "$figures/$i" '$4')" \
    "$(ratio "$first_wall" "$wall")" "$(ratio "$first_cpu" "$cpu")" \
    "$(awk '{ print $5 }' "$figures/$i" | sort -u | paste -sd,)" "$command"
  i=$((i + 1))
done
