#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# build.sh: a pool's metadata built anew, as ratios with the target beside each.
# Each time is the best of several runs: wall time beside thin_restore, the
# processor's where builds of different size are compared.  Images go to $BENCH_TMP (about 8 GB;
# $BUILD/bench unless given), thin_restore's and ours alike.

set -eu
. "${0%/*}/report.sh"
BUILD=${BUILD:-build}
images=${BENCH_TMP:-$BUILD/bench}/build
runs=${BENCH_RUNS:-3}
PATH=$PATH:/usr/sbin:/sbin

generate() {	# NAME OPTION...
	name=$1
	shift
	"$BUILD/thin-generate" "$@" "$images/$name.meta"
	data_blocks=$(od -An -t u8 -j 64 -N 8 "$images/$name.meta" | tr -d ' ')
	truncate -s $((data_blocks * 65536)) "$images/$name.data"
}

# The best build of NAME, as bench-build prints it:
# seconds mappings blocks-before blocks-after resident-KiB cpu-seconds
build() {
	for run in $(seq "$runs"); do
		"$BUILD/bench-build" "$images/$1.meta" "$images/$1.data" "$images/built"
	done | sort -n | head -1
	thin_check -q "$images/built"
}

# Wall seconds of thin_restore from XML of NAME.
restore() {
	truncate -s "$(stat -c %s "$images/built")" "$images/restored"
	start=$(date +%s.%N)
	thin_restore -q -i "$images/$1.xml" -o "$images/restored" >/dev/null
	end=$(date +%s.%N)
	awk -v a="$start" -v b="$end" 'BEGIN { printf "%.4f\n", b - a }'
}

field() { echo "$1" | cut -d' ' -f "$2"; }

# RESULT FIELD: seconds of the processor for each of what the field counts.
cost() { divide "$(field "$1" 6)" "$(field "$1" "$2")"; }

# WHAT RESULT NAME: resident memory beside 64 MiB and two bits a data block.
memory() {
	ratio "$1" "$(divide "$(field "$2" 5)" 1024)" "%.1f MiB" "<=" \
		$((64 + $(stat -c %s "$images/$3.data") / 65536 / 4 / 1048576))
}

rm -rf "$images"
mkdir -p "$images"
trap 'rm -rf "$images"' EXIT INT TERM

heading

generate small --plain --volumes 1 --snapshots 0 --mappings 1000000
small=$(build small)
small_cost=$(cost "$small" 2)
rm "$images"/small.*

generate big --plain --volumes 1 --snapshots 0 --mappings 8000000
big=$(build big)
thin_dump "$images/big.meta" >"$images/big.xml"
ratio "build of 8 M mappings, x thin_restore" \
	"$(divide "$(restore big)" "$(field "$big" 1)")" "%.1f" ">=" 40
ratio "  metadata, of the source's" \
	"$(divide "$(field "$big" 4)" "$(field "$big" 3)")" "%.3f" "<=" 1.05
rm "$images"/big.* "$images/restored"

# Changes of different kinds: a part in a hundred in runs or single blocks, much, little.
for kind in "1 32 10" "1 1 100" "10 32 10" "0.1 8 50"; do
	set -- $kind
	generate snapshots --mappings 1000000 --volumes 4 --snapshots 100 \
		--change "$1" --run "$2" --scatter "$3"
	result=$(build snapshots)
	ratio "100 snapshots, $1 % in runs of $2: metadata" \
		"$(divide "$(field "$result" 4)" "$(field "$result" 3)")" "%.3f" "<=" 1.05
	rm "$images"/snapshots.*
done

generate many --mappings 1000000 --volumes 4 --snapshots 1000 --change 0.2 --run 32 --scatter 10
many=$(build many)
ratio "1,000 snapshots: cost a mapping, of 1 M's" \
	"$(divide "$(cost "$many" 2)" "$small_cost")" "%.2f" "<=" 1.3
ratio "  metadata, of the source's" \
	"$(divide "$(field "$many" 4)" "$(field "$many" 3)")" "%.3f" "<=" 1.05
memory "  resident memory" "$many" many
rm "$images"/many.*

generate huge --plain --volumes 1 --snapshots 0 --mappings 50000000
huge=$(build huge)
ratio "50 M mappings: cost a mapping, of 1 M's" \
	"$(divide "$(cost "$huge" 2)" "$small_cost")" "%.2f" "<=" 1.3
memory "  resident memory" "$huge" huge
