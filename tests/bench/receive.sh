#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# receive.sh: memory of receive, streams with and without a codec, into image files.
# Images go to $BENCH_TMP (about 1 GB; $BUILD/bench unless given).

set -eu
. "${0%/*}/report.sh"
BUILD=${BUILD:-build}
images=${BENCH_TMP:-$BUILD/bench}/receive

rm -rf "$images"
mkdir -p "$images"
trap 'rm -rf "$images"' EXIT
trap 'exit 1' INT TERM

heading
"$BUILD/thin-generate" --data "$images/data" --plain --mappings 3000 --volumes 2 --snapshots 4 \
	--change 5 "$images/meta"
blocks=$(od -An -t u8 -j 64 -N 8 "$images/meta" | tr -d ' ')
for codec in none zlib:1; do
	"$BUILD/thinexport" send --codec $codec --metadata "$images/meta" --data "$images/data" \
		--force -o "$images/stream" 2>"$images/said"
	rm -f "$images"/new.*
	truncate -s "$(stat -c %s "$images/meta")" "$images/new.meta"
	truncate -s "$(stat -c %s "$images/data")" "$images/new.data"
	used=$("$BUILD/bench-measure" "$BUILD/thinexport" receive -i "$images/stream" \
		--metadata "$images/new.meta" --data "$images/new.data" 2>"$images/said")
	# Of 64 MiB and 2 bits a block.
	ratio "receive, codec ${codec%:*}: memory, of the bound" \
		"$(divide "${used##* }" $((65536 + blocks / 4096)))" "%.2f" "<=" 1
done
