#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The command, read-stream and what was recorded say the same of each golden
# stream; and both readers refuse each bad one, at the same frame.
here=$(realpath "${0%/*}")
. "$here/../cli/lib.sh"
needs python3 zstd jq thin_dump thin_check thin_restore

golden=$(cd "$here" && ls ./*.thin | sed 's|^\./||; s|\.thin$||')
BUILD=${te%/*} "$here/make-streams" anew || exit 1

# images_of NAME LIST FOLDER: the volumes of a received pool as images, by thin_dump
# and dd; the list says how long they are known to be.
images_of() {
	block_sectors=$(sed -n 's/^pool \([0-9]*\) .*/\1/p' "$2")
	mkdir "$3"
	sed -n 's/^volume \([0-9]*\) \([0-9]*\) .*/\1 \2/p' "$2" | while read -r id sectors; do
		image=$3/volume-$id.img
		: >"$image"
		mappings_of "$1" "$id" | while read -r virtual pool count; do
			dd if="$1.data" of="$image" bs=$((block_sectors * 512)) skip="$pool" \
				seek="$virtual" count="$count" conv=notrunc,sparse status=none
			end=$(((virtual + count) * block_sectors * 512))
			[ "$(stat -c %s "$image")" -ge $end ] || truncate -s $end "$image"
		done
		[ "$(stat -c %s "$image")" -ge $((sectors * 512)) ] ||
			truncate -s $((sectors * 512)) "$image"
	done
}

# blocks_of LIST: a line for each provisioned block, "volume, block, number".  Blocks
# are numbered as they are met, so wherever they lie only sharing shows.
blocks_of() {
	awk '
		$1 == "pool" { block = $2; next }
		$1 == "volume" { id = $2; next }
		{
			for (at = 0; at < $2; at += block) {
				if (!($3 + at in number))
					number[$3 + at] = n++
				print id, ($1 + at) / block, number[$3 + at]
			}
		}' "$1"
}

# list_of_pool NAME LIST: the provisioned runs of a received pool, as read-stream has them.
list_of_pool() {
	block_sectors=$(sed -n 's/^pool \([0-9]*\) .*/\1/p' "$2")
	echo "pool $block_sectors"
	for id in $(ids_of "$1" | sort -n); do
		echo "volume $id"
		mappings_of "$1" "$id" | awk -v b="$block_sectors" '{ print $1 * b, $3 * b, $2 * b }'
	done
}

# sums_are_those_of FOLDER NAME
sums_are_those_of() {
	(cd "$1" && find . -name '*.img' | sed 's|^\./||' | sort | xargs -r sha256sum) >sums
	diff "$here/$2.sha256" sums
}

read_stream_says_what_was_recorded() {
	for name in $golden; do
		"$here/read-stream" "$here/$name.thin" "read-$name" >list
		diff "$here/$name.list" list
		sums_are_those_of "read-$name" "$name"
		rm -r "read-$name"
	done
	[ "$(echo "$golden" | wc -l)" -ge 8 ]
}

info_says_what_was_recorded() {
	for name in $golden; do
		"$te" verify "$here/$name.thin"
		"$te" info --json "$here/$name.thin" >info
		jq -r '.pool | "pool \(.block_sectors) \(.data_blocks) \(.transaction_id) \(.name | tojson)"' \
			info >told
		jq -r '.volumes[] | "volume \(.id) \(.sectors) " +
			(if .size_known then "known" else "least" end) +
			" \(.provisioned_sectors) \(.shared_sectors) \(.exclusive_sectors) " +
			"\(.parent // "-") \(.name | tojson)"' info >>told
		grep -E '^(pool|volume) ' "$here/$name.list" | diff - told
	done
}

a_received_pool_holds_what_was_recorded() {
	for name in $golden; do
		block_sectors=$(sed -n 's/^pool \([0-9]*\) .*/\1/p' "$here/$name.list")
		new_target new $((1100 * block_sectors / 128))
		receive_pool new -i "$here/$name.thin"
		thin_check -q new.meta
		blocks_of "$here/$name.list" >recorded
		list_of_pool new "$here/$name.list" >list
		blocks_of list | diff recorded -
		images_of new "$here/$name.list" images
		sums_are_those_of images "$name"
		rm -r images
	done
}

# Where a library's version does not come in.
what_is_made_anew_is_the_same() {
	same=0
	for name in $golden; do
		[ -e "anew/$name.thin" ]
		case $name in
		*-zlib | *-zstd | *-codecs) ;;
		*)
			cmp "$here/$name.thin" "anew/$name.thin"
			same=$((same + 1))
			;;
		esac
		diff "$here/$name.list" "anew/$name.list"
		diff "$here/$name.sha256" "anew/$name.sha256"
	done
	[ $same -ge 4 ]
	[ "$(find anew -maxdepth 1 -name '*.thin' | wc -l)" -eq "$(echo "$golden" | wc -l)" ]
}

# So that nobody makes them anew into something that shows less.
the_shapes_are_there() {
	while read -r name shape; do
		"$te" dump "$here/$name.thin" >dumped
		grep -qE "$shape" dumped || { echo "$name has no $shape"; return 1; }
	done <<-'END'
	history ^ *UNMAP
	history ^ *SHARE
	history parent: volume
	history ZERO .* shared$
	snapshots-zlib DATA .* shared$
	snapshots-zlib sectors at least
	snapshots-zlib 140001 sectors, 
	snapshots-zlib OPS .* by zlib$
	snapshots-zlib CATALOG .* by zlib$
	snapshots-zstd OPS .* by zstd$
	big-blocks-zstd of 3072 sectors
	big-blocks-zstd DATA .* 2048$
	volume OPS at byte [0-9]*: [0-9]* bytes$
	lvm LVM: metadata of 8192 sectors, transaction 7, zeroes, error when full
	lvm LVM: read-only, skips activation, 2 tags, origin "web"$
	by-hand-codecs kind 700, skipped
	by-hand-codecs OPS at byte [0-9]*: [0-9]* bytes$
	by-hand-codecs OPS .* by zlib$
	by-hand-codecs OPS .* by zstd$
	by-hand-codecs incompat 0x0, compat 0x80000001
	END
}

the_page_prints_the_empty_stream() {
	sed -n '/^\.SH EXAMPLE/,/^\.SH NOTES/p' "$here/../../userspace/man/thinexport-stream.5" |
		sed -n 's/^ *[0-9]*  \([0-9a-f][0-9a-f]\( [0-9a-f][0-9a-f]\)*\)$/\1/p' >printed
	od -An -v -tx1 "$here/empty.thin" | sed 's/^ //' | diff printed -
}

# The frame that an error names; what is wrong with a volume or behind END names none.
frame_of() {
	sed -n 's/.*: frame \([0-9]*\) .*/\1/p' "$1"
}

both_readers_refuse_each_bad_stream_at_the_same_frame() {
	same=0
	for stream in anew/bad/*.thin; do
		got=0
		"$here/read-stream" "$stream" images 2>refused >listed || got=$?
		[ $got -eq 1 ] && [ "$(wc -l <refused)" -eq 1 ] && ! [ -s listed ] && ! [ -e images ] ||
			{ echo "$stream: status $got"; cat refused; return 1; }
		case $stream in
		*/pool-*) "$te" verify "$stream" ;;
		*) fails 1 "" "$te" verify "$stream" ;;
		esac
		new_target new 40
		fails 1 "" receive_pool new -i "$stream"
		no_pool new
		if [ -n "$(frame_of said)" ]; then
			[ "$(frame_of said)" -eq "$(frame_of refused)" ] || { cat refused; return 1; }
			same=$((same + 1))
		fi
	done
	[ $same -ge 90 ]
}

run_tests read_stream_says_what_was_recorded \
	info_says_what_was_recorded \
	a_received_pool_holds_what_was_recorded \
	what_is_made_anew_is_the_same \
	the_shapes_are_there \
	the_page_prints_the_empty_stream \
	both_readers_refuse_each_bad_stream_at_the_same_frame
