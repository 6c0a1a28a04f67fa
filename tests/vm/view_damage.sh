#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Broken metadata and broken devices below a view.
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/view.bash"
needs dmsetup pattern damage view_image
needs_target thin-pool
needs_module

metadata=$(disk 4) && data=$(disk 64) || exit 1
sane=$TE_TMP/metadata

whole_metadata_makes_a_view() {
	pool p "$metadata" "$data"
	volume p 5 48 v5
	fill /dev/mapper/v5 1
	deactivate v5 p
	thin_check "$metadata"
	cat "$metadata" >"$sane"
	view view 1 superblock_root 1 5 -
	[ "$(status_field view 2)" -eq $((48 * 16)) ]
	deactivate view
}

# damaged WHAT WORDS: a view of metadata with this damage is refused.
damaged() {
	cat "$sane" >"$metadata"
	damage "$metadata" 5 "$1"
	refused "$2" view 1 superblock_root 1 5 -
}

a_damaged_superblock_is_named() {
	damaged sb-magic "Not a thin pool's metadata (superblock has a wrong magic)"
	damaged sb-location 'Superblock has a wrong block number'
	damaged sb-csum 'Superblock has a wrong checksum'
	damaged sb-version 'Superblock has an unknown version'
	damaged sb-features 'Superblock has unknown incompatible features'
	damaged sb-block-size 'Superblock has an impossible data block size'
	damaged sb-metadata-block-size 'Superblock has a wrong metadata block size'
	damaged sb-root 'Superblock has a root beyond the metadata device'
	damaged sb-data-blocks 'Superblock has an impossible number of data blocks'
}

a_superblock_that_counts_more_than_its_devices_hold_is_named() {
	damaged sb-more-data "Data device is shorter than the pool's data"
	damaged sb-more-metadata "Metadata device is shorter than the pool's metadata"
}

a_damaged_internal_node_is_named() {
	damaged root-csum 'Metadata block has a wrong checksum'
	damaged root-location 'Metadata block has a wrong block number'
	damaged root-flags 'Metadata block is neither internal node nor leaf'
	damaged root-max-entries 'Metadata block has an impossible max_entries'
	damaged root-child 'Metadata block has a child beyond the metadata device'
	damaged root-loop 'Metadata tree has a loop'
}

a_damaged_leaf_is_named() {
	damaged leaf-csum 'Metadata block has a wrong checksum'
	damaged leaf-location 'Metadata block has a wrong block number'
	damaged leaf-flags 'Metadata block is neither internal node nor leaf'
	damaged leaf-value-size 'Metadata block has a wrong value size'
	damaged leaf-max-entries 'Metadata block has an impossible max_entries'
	damaged leaf-nr-entries 'Metadata block has an impossible nr_entries'
	damaged leaf-key-order 'Metadata block has keys out of order'
	damaged leaf-key-range 'Metadata block has a key that its parent does not allow'
	damaged leaf-data-block 'Mapping is beyond the data device'
	damaged leaf-virtual-block 'Mapping is beyond what a device can be long'
}

a_volume_without_details_is_named() {
	damaged details-id 'Volume has no device details'
}

the_log_says_in_which_volume_and_block() {
	local leaf
	cat "$sane" >"$metadata"
	leaf=$(damage "$metadata" 5 where-leaf)
	damaged leaf-csum 'Metadata block has a wrong checksum'
	dmesg | tail -n 5 | grep "volume 5: metadata block $leaf: Metadata block has a wrong"
}

a_metadata_block_that_cannot_be_read_is_named() {
	local leaf sectors=$((4 * 2048))
	cat "$sane" >"$metadata"
	leaf=$(($(damage "$metadata" 5 where-leaf) * 8))
	dmsetup create holey --table "0 $leaf linear $metadata 0
$leaf 8 error
$((leaf + 8)) $((sectors - leaf - 8)) linear $metadata $((leaf + 8))"
	later dmsetup remove --retry holey
	metadata=/dev/mapper/holey refused 'Metadata block cannot be read' view \
		1 superblock_root 1 5 -
	deactivate holey
	view view 1 superblock_root 1 5 -
	deactivate view
}

a_data_block_that_cannot_be_read_is_an_error_of_the_view() {
	local start=$((3 * 128)) sectors=$((64 * 2048)) at
	image_of_whole="$TE_TMP/whole"
	view_image "$metadata" "$data" superblock 5 >"$image_of_whole"
	dmsetup create holey --table "0 $start linear $data 0
$start 128 error
$((start + 128)) $((sectors - start - 128)) linear $data $((start + 128))"
	later dmsetup remove --retry holey
	data=/dev/mapper/holey view view 1 superblock_root 1 5 -
	# All of the data device up to here is mapped, so block 3 is the fourth.
	at=$(($(field /dev/mapper/view 104) + 3 * 65536))
	fails_with 'Input/output error' dd if=/dev/mapper/view of=/dev/null bs=512 count=1 \
		iflag=direct,skip_bytes skip=$((at + 65024))
	[ "$(status_field view 8)" -eq 1 ]
	fails_with 'Input/output error' dd if=/dev/mapper/view of=/dev/null bs=1M \
		iflag=direct,skip_bytes skip=$((at - 65536)) count=1
	[ "$(status_field view 8)" -ge 2 ]
	cmp -n $at "$image_of_whole" /dev/mapper/view
	cmp -i $((at + 65536)) -n $(($(stat -c %s "$image_of_whole") - at - 65536)) \
		"$image_of_whole" /dev/mapper/view
	# What was an error once is not remembered.
	dmsetup reload holey --table "0 $sectors linear $data 0"
	dmsetup suspend --nolockfs holey
	dmsetup resume holey
	echo 3 >/proc/sys/vm/drop_caches
	cmp -n "$(stat -c %s "$image_of_whole")" "$image_of_whole" /dev/mapper/view
	deactivate view holey
}

run_tests \
	whole_metadata_makes_a_view \
	a_damaged_superblock_is_named \
	a_superblock_that_counts_more_than_its_devices_hold_is_named \
	a_damaged_internal_node_is_named \
	a_damaged_leaf_is_named \
	a_volume_without_details_is_named \
	the_log_says_in_which_volume_and_block \
	a_metadata_block_that_cannot_be_read_is_named \
	a_data_block_that_cannot_be_read_is_an_error_of_the_view
