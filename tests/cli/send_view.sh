#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An image of a view is a source like the devices it was made from.
. "${0%/*}/lib.sh"
needs thin_restore cmp
view_image=${te%/*}/tests/view_image

example_pool pool
"$view_image" pool.meta pool.data superblock 1 2 7 9 20 >view
id=00112233445566778899aabbccddeeff

# spoiled OFFSET WORDS: one byte of the view changed.
spoiled() {
	cp view spoilt
	byte=$(od -An -tu1 -j "$1" -N 1 view)
	printf "\\$(printf %o $((255 - byte)))" | dd of=spoilt bs=1 seek="$1" conv=notrunc status=none
	fails 1 "$2" "$te" send spoilt -o stream
	[ ! -e stream ]
}

number_at() { od -An -t "u${3:-8}" -j "$2" -N "${3:-8}" "$1" | tr -d ' '; }

a_view_gives_the_bytes_that_the_devices_give() {
	"$te" send --metadata pool.meta --data pool.data --stream-id $id >direct
	"$te" send view --stream-id $id >viewed
	cmp direct viewed
}

a_generated_pool_gives_them_too() {
	for seed in 1 2 3; do
		"${te%/*}/thin-generate" --data many.data --mappings 700 --volumes 2 --snapshots 12 \
			--zeros 10 --discards 50 --seed $seed many.meta
		"$view_image" many.meta many.data superblock \
			$(thin_ls --no-headers -o DEV many.meta) >many
		"$te" send --metadata many.meta --data many.data --stream-id $id >direct
		"$te" send many --stream-id $id >viewed
		cmp direct viewed
	done
}

a_view_of_some_is_like_choosing_them() {
	"$view_image" pool.meta pool.data superblock 7 9 >some
	"$te" send --metadata pool.meta --data pool.data --stream-id $id --volume 9 --volume 7 >direct
	"$te" send some --stream-id $id >viewed
	cmp direct viewed
	fails 1 "some has no volume 1" "$te" send some --volume 1 -o stream
	"$te" send view --volume 7 --volume 9 --stream-id $id >viewed
	cmp direct viewed
}

the_length_of_a_pin_is_the_volume_s() {
	"$view_image" pool.meta pool.data superblock 1 7=40960 >sized
	"$te" send --metadata pool.meta --data pool.data --stream-id $id --volume 1 --volume 7 \
		--size 7=40960 >direct
	"$te" send sized --stream-id $id >viewed
	"$te" info --json direct | tr '{' '\n' | grep '"id":7' >one
	"$te" info --json viewed | tr '{' '\n' | grep '"id":7' >two
	cmp one two
	grep -q '"sectors":40960,"size_known":true' one
	fails 1 "--size 7=2048: the volume is known to be 40960 sectors long" \
		"$te" send sized --size 7=2048 -o stream
}

a_longer_device_holds_the_same_view() {
	(cat view; head -c 70000 /dev/zero) >longer
	"$te" send view --stream-id $id >one
	"$te" send longer --stream-id $id >two
	cmp one two
}

a_view_that_was_cut_is_refused() {
	size=$(stat -c %s view)
	for at in 4096 8192 $((size / 2)) $((size - 4096)); do
		head -c $at view >cut
		fails 1 "cut ends at byte $at, its view at byte $size: the copy is not complete" \
			"$te" send cut -o stream
	done
	head -c 4000 view >cut
	fails 1 "too small to be a view" "$te" send cut -o stream
}

a_changed_header_is_refused() {
	for at in 8 12 16 24 28 32 40 48 56 64 72 80 88 96 104 112 116 120 124 128 4095; do
		spoiled $at "spoilt: View"
	done
}

a_changed_volume_table_is_refused() {
	spoiled "$(number_at view 72)" "the volume table has a wrong checksum"
}

a_changed_bitmap_is_refused() {
	spoiled "$(number_at view 80)" "a bitmap of the view has a wrong checksum"
	spoiled "$(number_at view 96)" "a bitmap of the view has a wrong checksum"
}

a_changed_node_is_refused() {
	spoiled $(($(number_at view 88) + 100)) "Metadata block has a wrong checksum"
}

info_reads_a_view() {
	"$te" info view >told
	"$te" info --metadata pool.meta --data pool.data | cmp - told
	narrow told
}

run_tests \
	a_view_gives_the_bytes_that_the_devices_give \
	a_generated_pool_gives_them_too \
	a_view_of_some_is_like_choosing_them \
	the_length_of_a_pin_is_the_volume_s \
	a_longer_device_holds_the_same_view \
	a_view_that_was_cut_is_refused \
	a_changed_header_is_refused \
	a_changed_volume_table_is_refused \
	a_changed_bitmap_is_refused \
	a_changed_node_is_refused \
	info_reads_a_view
