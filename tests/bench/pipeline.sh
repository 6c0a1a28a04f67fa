#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pipeline.sh: send, receive and verify on image files with 2 threads, as ratios with
# the program that does nothing else: pigz and zstd for the codecs, dd for what is
# only moved.  Images lie in the page cache.  Rivals run in turns; a ratio is that of
# the best times of each, since what disturbs only adds: where the host of a virtual
# machine takes free memory back, the same copy costs up to four times the CPU.  Images go to $BENCH_TMP (about 5 GB, 70 GB long; $BUILD/bench unless given).

set -eu
. "${0%/*}/report.sh"
BUILD=${BUILD:-build}
images=${BENCH_TMP:-$BUILD/bench}/pipeline
runs=${BENCH_RUNS:-5}
te="$BUILD/thinexport"
PATH=$PATH:/usr/sbin:/sbin

measure() {	# COMMAND...: seconds CPU-seconds resident-KiB
	"$BUILD/bench-measure" "$@" 2>>"$images/said" || { cat "$images/said" >&2; exit 1; }
}

# rival COMMAND..., ours COMMAND...: what is timed by them in each turn, printing seconds.
# race WHAT WANTED: the ratio; the most memory of ours is left in $most.  They go first
# by turns: what one leaves to the disk, the next one waits for.
race() {
	: >"$images/theirs"
	: >"$images/ours"
	for run in $(seq "$runs"); do
		[ $((run % 2)) = 1 ] || rival >>"$images/theirs"
		ours >>"$images/ours"
		[ $((run % 2)) = 0 ] || rival >>"$images/theirs"
	done
	most=$(sort -n -k 3 "$images/ours" | tail -n 1 | cut -d' ' -f3)
	ratio "$1" "$(divide "$(sort -n "$images/theirs" | head -n 1)" \
		"$(sort -n "$images/ours" | head -n 1 | cut -d' ' -f1)")" "%.2f" ">=" "$2"
}

# Of 64 MiB and 2 bits a block.
memory() {
	ratio "     memory, of the bound" "$(divide "$most" $((65536 + blocks / 4096)))" "%.2f" "<=" 1
}

seconds_of() { measure "$@" | cut -d' ' -f1; }

send() { measure "$te" send --threads 2 --metadata "$images/p.meta" --data "$images/p.data" "$@"; }

fresh_target() {
	rm -f "$images/new.meta" "$images/new.data"
	truncate -r "$images/p.meta" "$images/new.meta"
	truncate -r "$images/p.data" "$images/new.data"
	sync
}

# As dd does below: onto a file that is new, and to the disk.
receive() {
	fresh_target
	measure "$te" receive --threads 2 -i "$images/$1" --metadata "$images/new.meta" \
		--data "$images/new.data"
}

# Seconds of the slower: the decoder alone, or dd of the data onto the target and 0.9 of it.
slower() {	# FILE DECODER...
	file=$1
	shift
	decoder=$(seconds_of "$@" "$images/$file")
	fresh_target
	copy=$(seconds_of dd if="$images/raw" of="$images/new.data" bs=1M conv=notrunc,fdatasync status=none)
	awk -v a="$decoder" -v b="$copy" 'BEGIN { b /= 0.9; print (a > b ? a : b) }'
}

# zeros GIB: CPU seconds a GiB to send a volume that is one hole.
zeros() {
	cat >"$images/z.xml" <<-END
	<superblock uuid="" time="1" transaction="1" flags="0" version="2" data_block_size="128" nr_data_blocks="$(($1 * 16384))">
	 <device dev_id="1" mapped_blocks="$(($1 * 16384))" transaction="0" creation_time="0" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="0" length="$(($1 * 16384))" time="0"/>
	 </device>
	</superblock>
	END
	rm -f "$images"/z.meta "$images"/z.data
	truncate -s 64M "$images/z.meta"
	truncate -s "$1G" "$images/z.data"
	thin_restore -q -i "$images/z.xml" -o "$images/z.meta" >/dev/null
	used=$(measure "$te" send --threads 2 --metadata "$images/z.meta" --data "$images/z.data" \
		--force -o "$images/z")
	echo "$used" | awk -v gib="$1" '{ print $2 / gib }'
}

rm -rf "$images"
mkdir -p "$images"
trap 'rm -rf "$images"' EXIT
trap 'exit 1' INT TERM

heading
"$BUILD/thin-generate" --data "$images/p.data" --plain --mappings ${BENCH_MAPPINGS:-8000} --volumes 2 \
	--snapshots 4 --change 5 "$images/p.meta"
blocks=$(od -An -t u8 -j 64 -N 8 "$images/p.meta" | tr -d ' ')
# The same bytes for all: what the pool's blocks hold, as they lie in the stream.
for codec in none zlib zstd; do
	"$te" send --codec $codec --metadata "$images/p.meta" --data "$images/p.data" \
		-o "$images/$codec" 2>>"$images/said"
done
mv "$images/none" "$images/raw"
cp "$images/raw" "$images/none"
pigz -1 -c "$images/raw" >"$images/raw.gz"
zstd -q -1 -c "$images/raw" >"$images/raw.zst"

rival() { seconds_of pigz -1 -p2 -c "$images/raw"; }
ours() { send --codec zlib:1; }
race "send, zlib:1: pigz -1 -p2 takes x of its time" 1
memory
rival() { seconds_of zstd -q -1 -T2 -c "$images/raw"; }
ours() { send --codec zstd:1; }
race "send, zstd:1: zstd -1 -T2 takes x of its time" 1
memory

rival() { slower none cat; }
ours() { receive none; }
race "receive, none: dd / 0.9 takes x of its time" 1
rival() { slower raw.gz pigz -d -p2 -c; }
ours() { receive zlib; }
race "receive, zlib: slower of pigz -d and dd / 0.9" 1
memory
rival() { slower raw.zst zstd -q -d -c; }
ours() { receive zstd; }
race "receive, zstd: slower of zstd -d and dd / 0.9" 1
memory

rival() { seconds_of dd if="$images/none" of=/dev/null bs=1M status=none; }
ours() { measure "$te" verify --threads 2 "$images/none"; }
race "verify: dd to /dev/null takes x of its time" 0.9
rival() { seconds_of zstd -q -d -c "$images/raw.zst"; }
ours() { measure "$te" verify --threads 2 "$images/zstd"; }
race "verify, zstd: zstd -d takes x of its time" 1

one=$(zeros 1)
ratio "64 GiB of zeros: of 1 GiB's cost a byte" "$(divide "$(zeros 64)" "$one")" "%.2f" "<=" 1.3
ratio "     stream, of the volume's size" \
	"$(divide "$(stat -c %s "$images/z")" $((64 << 30)))" "%.9f" "<=" 0.01
