#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the view's target does not take, what it does not let happen, and its words.
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/view.bash"
needs dmsetup pattern
needs_target thin-pool
needs_module

chosen='0 7'
metadata=$(disk 8) && data=$(disk 192) && empty=$(disk 8) || exit 1

a_pool_without_metadata_snapshot_is_refused() {
	view_pool
	refused 'Pool has no metadata snapshot' view 0 1 0 -
}

a_number_of_arguments_that_does_not_fit_is_refused() {
	freeze
	refused 'Not enough arguments' view 0
	refused 'Not enough arguments' view
	refused 'Number of volumes does not match the arguments' view 0 1
	refused 'Number of volumes does not match the arguments' view 0 1 0
	refused 'Number of volumes does not match the arguments' view 0 2 0 -
	refused 'Number of volumes does not match the arguments' view 0 0 0 -
	refused 'Number of volumes does not match the arguments' view 0 1 0 - 7
}

numbers_that_are_none_are_refused() {
	refused 'Invalid number of features' view x 1 0 -
	refused 'Invalid number of features' view -1 1 0 -
	refused 'Invalid number of volumes' view 0 x 0 -
	refused 'Invalid number of volumes' view 0 65537 0 -
	refused 'Invalid device id' view 0 1 x -
	refused 'Invalid device id' view 0 1 -1 -
	refused 'Invalid device id' view 0 1 - -
}

features_it_does_not_know_are_refused() {
	refused 'Unknown feature' view 1 no_such_thing 1 0 -
	refused 'Unknown feature' view 1 superblock_roo 1 0 -
	refused 'Invalid number of features' view 2 superblock_root superblock_root 1 0 -
	refused 'Invalid number of features' view 5 superblock_root 1 0 -
}

ids_that_no_volume_can_have_are_refused() {
	refused 'Invalid device id' view 0 1 16777216 -
	refused 'Invalid device id' view 0 1 4294967296 -
	refused 'Volume is not in the mapping tree' view 0 1 16777215 -
	refused 'Volume is not in the mapping tree' view 0 2 0 - 8 -
}

an_id_named_twice_is_refused() {
	refused 'Device id is named twice' view 0 2 7 - 7 -
	refused 'Device id is named twice' view 0 3 7 - 0 /dev/mapper/pin0 7 /dev/mapper/pin7
}

devices_that_are_not_there_are_refused() {
	refused 'Cannot open a pin' view 0 1 0 /dev/mapper/no-such-pin
	refused 'Cannot open a pin' view 0 2 7 /dev/mapper/pin7 0 /dev/mapper/no-such-pin
	metadata=/dev/no-such refused 'Cannot open the metadata device' view 0 1 0 -
	data=/dev/no-such refused 'Cannot open the data device' view 0 1 0 -
}

a_device_that_is_no_pools_metadata_is_refused() {
	metadata=$empty refused \
		"Not a thin pool's metadata (superblock has a wrong magic)" view 0 1 0 -
	metadata=$data refused \
		"Not a thin pool's metadata (superblock has a wrong magic)" view 0 1 0 -
}

devices_shorter_than_the_pool_are_refused() {
	dmsetup create short --table "0 $((192 * 2048 - 1)) linear $data 0"
	later dmsetup remove --retry short
	data=/dev/mapper/short refused "Data device is shorter than the pool's data" view 0 1 0 -
	deactivate short
	dmsetup create short --table "0 $((8 * 2048 - 1)) linear $metadata 0"
	metadata=/dev/mapper/short refused \
		"Metadata device is shorter than the pool's metadata" view 0 1 0 -
	dmsetup reload short --table "0 7 linear $metadata 0"
	dmsetup resume short
	metadata=/dev/mapper/short fails view view 0 1 0 -
	deactivate short
}

a_table_shorter_than_the_view_is_refused() {
	local sectors
	view view 0 "$(pinned $chosen)"
	sectors=$(status_field view 1)
	deactivate view
	view_sectors=$((sectors - 1)) refused 'Table is shorter than the view' view \
		0 "$(pinned $chosen)"
	view_sectors=$sectors view view 0 "$(pinned $chosen)"
	[ "$(size_of /dev/mapper/view)" -eq "$sectors" ]
	deactivate view
}

a_table_that_could_be_written_is_refused() {
	mark_log
	fails dmsetup create view --table "0 1048576 thinexport $metadata $data 0 1 0 -"
	log_since | grep -F ': Table must be loaded read-only'
}

a_view_cannot_be_written() {
	view view 0 "$(pinned $chosen)"
	[ "$(blockdev --getro /dev/mapper/view)" -eq 1 ]
	fails dd if=/dev/zero of=/dev/mapper/view bs=4096 count=1 oflag=direct conv=notrunc
	fails blkdiscard /dev/mapper/view
	fails blkdiscard -z /dev/mapper/view
	fails dmsetup message view 0 hello
}

a_pinned_snapshot_cannot_be_deleted() {
	fails message p delete 1000
	fails dmsetup remove pin0
	fails message p delete 1007
}

the_devices_below_cannot_be_removed() {
	fails dmsetup remove p
	fails rmmod dm_thinexport
	deactivate view
}

after_its_views_are_gone_the_module_unloads() {
	rmmod dm_thinexport
	load_module
}

what_was_refused_left_nothing_open() {
	deactivate pin0 pin7
	message p delete 1000
	message p delete 1007
	message p release_metadata_snap
	deactivate v0 v4 v7 p
}

run_tests \
	a_pool_without_metadata_snapshot_is_refused \
	a_number_of_arguments_that_does_not_fit_is_refused \
	numbers_that_are_none_are_refused \
	features_it_does_not_know_are_refused \
	ids_that_no_volume_can_have_are_refused \
	an_id_named_twice_is_refused \
	devices_that_are_not_there_are_refused \
	a_device_that_is_no_pools_metadata_is_refused \
	devices_shorter_than_the_pool_are_refused \
	a_table_shorter_than_the_view_is_refused \
	a_table_that_could_be_written_is_refused \
	a_view_cannot_be_written \
	a_pinned_snapshot_cannot_be_deleted \
	the_devices_below_cannot_be_removed \
	after_its_views_are_gone_the_module_unloads \
	what_was_refused_left_nothing_open
