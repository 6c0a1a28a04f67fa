#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# core.sh: walk and difference of big pools' metadata, as ratios with the target
# beside each.  Both sides of a ratio are the best of several runs, taken in turn.
# Images go to $BENCH_TMP (about 6 GB of space; $BUILD/bench unless given).

set -eu
. "${0%/*}/report.sh"
BUILD=${BUILD:-build}
images=${BENCH_TMP:-$BUILD/bench}
runs=5

generate() {	# NAME OPTION...
	name=$1
	shift
	"$BUILD/thin-generate" "$@" "$images/$name.meta"
	data_blocks=$(od -An -t u8 -j 64 -N 8 "$images/$name.meta" | tr -d ' ')
	truncate -s $((data_blocks * 65536)) "$images/$name.data"
}

# Wall seconds of a command.
seconds() {
	start=$(date +%s.%N)
	"$@" >/dev/null
	end=$(date +%s.%N)
	awk -v a="$start" -v b="$end" 'BEGIN { printf "%.4f\n", b - a }'
}

walk() {	# NAME: seconds CPU-seconds nodes mappings resident-KiB
	"$BUILD/bench-core" walk "$images/$1.meta" "$images/$1.data"
}

# The walk of NAME that took the CPU least.
best_walk() {
	for run in $(seq $runs); do walk "$1"; done | sort -n -k 2 | head -1
}

rm -rf "$images"
mkdir -p "$images"
trap 'rm -rf "$images"' EXIT INT TERM

heading

# Walk against thin_dump, 8 M mappings.
generate big --plain --volumes 1 --snapshots 0 --mappings 8000000
for run in $(seq $runs); do
	walk big >>"$images/walks"
	seconds thin_dump "$images/big.meta" >>"$images/dumps"
done
ours=$(sort -n "$images/walks" | head -1 | cut -d' ' -f1)
theirs=$(sort -n "$images/dumps" | head -1)
ratio "walk, 8 M mappings: thin_dump takes x times" "$(divide "$theirs" "$ours")" "%.1f x" ">=" 10
rm -f "$images"/big.*

# Difference of two snapshots, 1 % changed, against a full walk of the newer.
generate pair --plain --volumes 1 --snapshots 1 --mappings 8000000 --change 1 --run 1024 --scatter 0
ids=$("$BUILD/thin-generate" --plain --volumes 1 --snapshots 1 --mappings 8000000 --change 1 \
	--run 1024 --scatter 0 --list "$images/again.meta" | cut -d' ' -f1 | tr '\n' ' ')
cmp -s "$images/pair.meta" "$images/again.meta" || { echo "core.sh: one seed, two images" >&2; exit 1; }
rm -f "$images/again.meta"
# shellcheck disable=SC2046,SC2086
set -- $("$BUILD/bench-core" diff "$images/pair.meta" "$images/pair.data" $ids)
ratio "difference, 1 % changed: of a full walk" "$(divide "$3" "$1")" "%.4f" "<=" 0.03
rm -f "$images"/pair.*

# CPU time of a mapping and memory, from 1 M to 50 M mappings and to 1000 snapshots.
generate million --plain --volumes 4 --snapshots 0 --mappings 1000000
generate fifty --plain --volumes 4 --snapshots 0 --mappings 50000000
generate thousand --plain --volumes 4 --snapshots 1000 --mappings 4000000 --change 0.2 \
	--run 64 --scatter 5
# shellcheck disable=SC2046
{
	set -- $(best_walk million)
	one=$(divide "$2" "$4")
	set -- $(best_walk fifty)
	ratio "walk, 50 M mappings: of 1 M's cost a mapping" \
		"$(divide "$(divide "$2" "$4")" "$one")" "%.2f" "<=" 1.3
	blocks=$(od -An -t u8 -j 64 -N 8 "$images/fifty.meta" | tr -d ' ')
	ratio "     memory, of 64 MiB and 2 bits a block" \
		"$(divide "$5" $((65536 + blocks / 4096)))" "%.2f" "<=" 1
	set -- $(best_walk thousand)
	ratio "walk, 1000 snapshots ($4 mappings): likewise" \
		"$(divide "$(divide "$2" "$4")" "$one")" "%.2f" "<=" 1.3
	blocks=$(od -An -t u8 -j 64 -N 8 "$images/thousand.meta" | tr -d ' ')
	ratio "     memory" \
		"$(divide "$5" $((65536 + blocks / 4096)))" "%.2f" "<=" 1
}
