#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# receive.sh: memory of receive and verify with 2 threads, into image files: streams
# with and without a codec, and with frames as large as frames may be.
# Images go to $BENCH_TMP (about 1 GB; $BUILD/bench unless given).

set -eu
. "${0%/*}/report.sh"
BUILD=${BUILD:-build}
images=${BENCH_TMP:-$BUILD/bench}/receive

rm -rf "$images"
mkdir -p "$images"
trap 'rm -rf "$images"' EXIT
trap 'exit 1' INT TERM

# measured BLOCKS WHAT COMMAND...: its memory, of 64 MiB and 2 bits a block.
measured() {
	blocks=$1
	what=$2
	shift 2
	used=$("$BUILD/bench-measure" "$@" 2>"$images/said")
	ratio "$what: memory, of bound" "$(divide "${used##* }" $((65536 + blocks / 4096)))" \
		"%.2f" "<=" 1
}

# receive STREAM BLOCKS WHAT
receive() {
	rm -f "$images"/new.*
	truncate -s 8M "$images/new.meta"
	truncate -s $(($2 * 65536)) "$images/new.data"
	measured "$2" "$3" "$BUILD/thinexport" receive --threads 2 -i "$1" \
		--metadata "$images/new.meta" --data "$images/new.data"
}

heading
"$BUILD/thin-generate" --data "$images/data" --plain --mappings 3000 --volumes 2 --snapshots 4 \
	--change 5 "$images/meta"
for codec in none zlib zstd; do
	"$BUILD/thinexport" send --codec $codec --metadata "$images/meta" --data "$images/data" \
		--force -o "$images/stream" 2>"$images/said"
	receive "$images/stream" "$(od -An -t u8 -j 64 -N 8 "$images/meta" | tr -d ' ')" \
		"receive, $codec"
done
for codec in none zlib zstd; do
	"$BUILD/large-frames" $codec 60 >"$images/stream"
	receive "$images/stream" 3780 "receive, $codec, 4 MiB frames"
	measured 3780 "verify, $codec, 4 MiB frames" \
		"$BUILD/thinexport" verify --threads 2 "$images/stream"
done
