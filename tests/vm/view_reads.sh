#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the view holds, and that it stays so.
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/view.bash"
needs dmsetup thin_dump fio view_image random_reads pattern
needs_target thin-pool
needs_module

picture=$TE_TMP/image
metadata=$(disk 8) && data=$(disk 192) || exit 1

a_view_of_a_live_pool_is_what_userspace_computes() {
	view_pool
	freeze
	view view 0 "$(pinned $chosen)"
	image "$picture" held $chosen
	cmp -n "$(stat -c %s "$picture")" "$picture" /dev/mapper/view
}

behind_the_view_are_zeros() {
	local end
	end=$(stat -c %s "$picture")
	[ "$(field /dev/mapper/view 16)" -eq "$end" ]
	[ $(($(size_of /dev/mapper/view) * 512)) -gt "$end" ]
	cmp -n 1048576 -i "$end":0 /dev/mapper/view /dev/zero
}

reads_of_any_place_and_length_agree() {
	random_reads /dev/mapper/view "$picture" 1500 1 | tee "$TE_TMP/reads"
	# The guest's disk can be read without waiting; not every machine's can.
	[ -z "${TE_SCRATCH:-}" ] || grep '^[1-9][0-9]* reads .* without waiting' "$TE_TMP/reads"
}

status_tells_the_size_and_what_is_in_it() {
	[ "$(status_field view 1)" -eq $(($(field /dev/mapper/view 16) / 512)) ]
	[ "$(status_field view 2)" -eq "$(field /dev/mapper/view 48)" ]
	[ "$(status_field view 3)" -eq $((192 * 16)) ]
	[ "$(status_field view 4)" -eq "$(field /dev/mapper/view 56)" ]
	[ "$(status_field view 5)" -eq $((8 * 256)) ]
	[ "$(status_field view 6)" -eq 4 ]
	[ "$(status_field view 8)" -eq 0 ]
}

status_counts_reads() {
	local before
	before=$(status_field view 7)
	dd if=/dev/mapper/view of=/dev/null bs=4096 count=3 iflag=direct status=none
	[ "$(status_field view 7)" -eq $((before + 3)) ]
}

the_data_are_the_blocks_that_thin_dump_names() {
	local at block number=0
	at=$(field /dev/mapper/view 104)
	thin_dump -m "$metadata" | awk -v chosen="$chosen" -F'"' '
		BEGIN { split(chosen, ids, " "); for (i in ids) want[ids[i]] = 1 }
		/<device / { on = $2 in want }
		on && /<single_mapping/ { print $4 }
		on && /<range_mapping/ { for (i = 0; i < $6; i++) print $4 + i }' |
		sort -nu >"$TE_TMP/blocks"
	[ "$(wc -l <"$TE_TMP/blocks")" -eq "$(field /dev/mapper/view 48)" ]
	while read -r block; do
		cmp -n 65536 -i $((at + number * 65536)):$((block * 65536)) \
			/dev/mapper/view "$data"
		number=$((number + 1))
	done <"$TE_TMP/blocks"
	[ $number -gt 300 ]
}

nothing_of_a_volume_that_was_not_chosen_is_in_it() {
	grep -q SECRET "$data"
	fails grep -q SECRET /dev/mapper/view
}

its_own_table_loads_again() {
	local table
	table=$(dmsetup table view)
	dmsetup create again --readonly --table "$table"
	later dmsetup remove --retry again
	[ "$(dmsetup table again)" = "$table" ]
	cmp -n "$(stat -c %s "$picture")" /dev/mapper/again "$picture"
	deactivate again
}

two_views_of_different_volumes_live_side_by_side() {
	view one 0 "$(pinned 7)"
	view two 0 "$(pinned 3 9)"
	image "$TE_TMP/one" held 7
	image "$TE_TMP/two" held 3 9
	random_reads /dev/mapper/one "$TE_TMP/one" 300 2 &
	random_reads /dev/mapper/two "$TE_TMP/two" 300 3
	wait $!
	cmp -n "$(stat -c %s "$TE_TMP/one")" "$TE_TMP/one" /dev/mapper/one
	cmp -n "$(stat -c %s "$TE_TMP/two")" "$TE_TMP/two" /dev/mapper/two
	deactivate one two
}

a_view_of_no_volume_is_a_header_and_empty_bitmaps() {
	view none 0 0
	view_image "$metadata" "$data" held >"$TE_TMP/none"
	[ "$(field /dev/mapper/none 48)" -eq 0 ]
	random_reads /dev/mapper/none "$TE_TMP/none" 50 4
	deactivate none
}

a_target_may_start_anywhere_in_its_device() {
	dmsetup create behind --readonly --table "0 1001 zero
1001 400000 thinexport $metadata $data 0 $(pinned $chosen)"
	later dmsetup remove --retry behind
	cmp -n "$(stat -c %s "$picture")" -i $((1001 * 512)):0 /dev/mapper/behind "$picture"
	deactivate behind
}

the_view_stays_while_its_volumes_change_and_the_metadata_snapshot_goes() {
	local pid
	dmsetup create v3 --table "0 $((volume_mib * 2048)) thin /dev/mapper/p 3"
	later dmsetup remove --retry v3
	random_reads /dev/mapper/view "$picture" 1200 5 >"$TE_TMP/reads" 2>&1 &
	pid=$!
	message p release_metadata_snap
	fill /dev/mapper/v0 11
	blkdiscard -o 1048576 -l 8388608 /dev/mapper/v3
	deactivate v7
	message p delete 7
	snapshot p 20 0
	fill /dev/mapper/v0 12 0 8192
	message p delete 20
	sync
	wait $pid || { cat "$TE_TMP/reads"; return 1; }
	random_reads /dev/mapper/view "$picture" 300 6
	echo 3 >/proc/sys/vm/drop_caches
	cmp -n "$(stat -c %s "$picture")" "$picture" /dev/mapper/view
}

a_view_of_an_inactive_pool_starts_from_its_superblock() {
	deactivate view v3 pin0 pin3 pin7 pin9 v0 v4 p
	thin_check "$metadata"
	view still 1 superblock_root 2 3 - 4 -
	view_image "$metadata" "$data" superblock 3 4 >"$TE_TMP/still"
	cmp -n "$(stat -c %s "$TE_TMP/still")" "$TE_TMP/still" /dev/mapper/still
	[[ "$(dmsetup table still)" == *' 1 superblock_root 2 3 - 4 -' ]]
	deactivate still
}

# A volume written from front to back has its blocks in that order in the pool, and so
# in the view: fio finds there what fio wrote.
fio_verifies_through_the_view_what_it_wrote() {
	local at
	metadata=$(disk 8)
	data=$(disk 96)
	chosen=0
	pool p "$metadata" "$data"
	volume p 0 $volume_mib v0
	fio --name=write --filename=/dev/mapper/v0 --rw=write --bs=64k --size=${volume_mib}m \
		--direct=1 --verify=crc32c --verify_interval=4096 --do_verify=0 --minimal
	freeze
	view view 0 "$(pinned 0)"
	at=$(($(field /dev/mapper/view 104) / 512))
	dmsetup create part --readonly --table \
		"0 $((volume_mib * 2048)) linear /dev/mapper/view $at"
	later dmsetup remove --retry part
	fio --name=read --filename=/dev/mapper/part --readonly --rw=randread \
		--bsrange=4k-512k --size=${volume_mib}m --direct=1 --ioengine=libaio --iodepth=8 \
		--verify=crc32c --verify_interval=4096 --verify_fatal=1 --minimal
	deactivate part view pin0 v0 p
}

run_tests \
	a_view_of_a_live_pool_is_what_userspace_computes \
	behind_the_view_are_zeros \
	reads_of_any_place_and_length_agree \
	status_tells_the_size_and_what_is_in_it \
	status_counts_reads \
	the_data_are_the_blocks_that_thin_dump_names \
	nothing_of_a_volume_that_was_not_chosen_is_in_it \
	its_own_table_loads_again \
	two_views_of_different_volumes_live_side_by_side \
	a_view_of_no_volume_is_a_header_and_empty_bitmaps \
	a_target_may_start_anywhere_in_its_device \
	the_view_stays_while_its_volumes_change_and_the_metadata_snapshot_goes \
	a_view_of_an_inactive_pool_starts_from_its_superblock \
	fio_verifies_through_the_view_what_it_wrote
