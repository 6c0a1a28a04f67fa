#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# send.sh: send on image files, as ratios with the target beside each: its rate
# against dd, the plan's cost a mapping, memory.  Each side is the best of several
# runs, taken in turn.  Images go to $BENCH_TMP (about 8 GB; $BUILD/bench unless given).

set -eu
. "${0%/*}/report.sh"
BUILD=${BUILD:-build}
images=${BENCH_TMP:-$BUILD/bench}/send
runs=${BENCH_RUNS:-5}
PATH=$PATH:/usr/sbin:/sbin

blocks_of() { od -An -t u8 -j 64 -N 8 "$images/$1.meta" | tr -d ' '; }

generate() {	# NAME OPTION...
	name=$1
	shift
	"$BUILD/thin-generate" "$@" "$images/$name.meta"
	[ -e "$images/$name.data" ] ||
		truncate -s $(($(blocks_of "$name") * 65536)) "$images/$name.data"
}

measure() {	# COMMAND...: seconds CPU-seconds resident-KiB
	"$BUILD/bench-measure" "$@" 2>>"$images/said" || { cat "$images/said" >&2; exit 1; }
}

# plan NAME: of a plan, by what -n does, the run that took the CPU least.
plan() {
	for run in $(seq "$runs"); do
		measure "$BUILD/thinexport" send -n --metadata "$images/$1.meta" --data "$images/$1.data"
	done | sort -n -k 2 | head -1
}

# Mappings in all leaves, each node once.
mappings() {
	"$BUILD/bench-core" walk "$images/$1.meta" "$images/$1.data" | cut -d' ' -f4
}

# memory WHAT RESIDENT-KIB NAME: of 64 MiB and 2 bits a block.
memory() {
	ratio "$1" "$(divide "$2" $((65536 + $(blocks_of "$3") / 4096)))" "%.2f" "<=" 1
}

rm -rf "$images"
mkdir -p "$images"
trap 'rm -rf "$images"' EXIT
trap 'exit 1' INT TERM

heading

# Rate, no codec: 1.3 GiB with snapshots, in the page cache for both.
generate pool --data "$images/pool.data" --plain --mappings 20000 --volumes 2 --snapshots 4 --change 5
mib=$("$BUILD/thinexport" send -n --json --metadata "$images/pool.meta" --data "$images/pool.data" |
	sed 's/.*"to_send_bytes":\([0-9]*\),"volumes".*/\1/')
mib=$((mib / 1048576))
for run in $(seq $((2 * runs))); do
	measure dd if="$images/pool.data" of=/dev/null bs=1M count=$mib >>"$images/dd"
	measure "$BUILD/thinexport" send --codec none --metadata "$images/pool.meta" \
		--data "$images/pool.data" >>"$images/sends"
done
# shellcheck disable=SC2046
{
	set -- $(sort -n "$images/dd" | head -1) $(sort -n "$images/sends" | head -1)
	ratio "send, images in memory: dd takes x of its time" "$(divide "$1" "$4")" "%.2f" ">=" 0.9
	memory "     memory, of 64 MiB and 2 bits a block" "$6" pool
}
rm -f "$images"/pool.*

# CPU time of a plan a mapping, and memory.
generate million --plain --volumes 4 --snapshots 0 --mappings 1000000
generate fifty --plain --volumes 4 --snapshots 0 --mappings 50000000
generate thousand --plain --volumes 4 --snapshots 1000 --mappings 4000000 --change 0.2 \
	--run 64 --scatter 5
# shellcheck disable=SC2046
{
	set -- $(plan million)
	one=$(divide "$2" "$(mappings million)")
	set -- $(plan fifty)
	ratio "plan, 50 M mappings: of 1 M's cost a mapping" \
		"$(divide "$(divide "$2" "$(mappings fifty)")" "$one")" "%.2f" "<=" 1.3
	memory "     memory" "$3" fifty
	set -- $(plan thousand)
	# Without a verdict: a leaf that a snapshot changed is read three times (survey, both
	# sides of a difference), not twice, and each alone, since its neighbours on the
	# device are another snapshot's.
	row "plan, 1000 snapshots: likewise" \
		"$(awk -v a="$(divide "$2" "$(mappings thousand)")" -v b="$one" \
			'BEGIN { printf "%.2f", a / b }')" - -
	memory "     memory" "$3" thousand
}
