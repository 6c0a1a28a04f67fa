#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The parts the other scripts stand on: disks, arrays and pools of this machine.
. "$(dirname "$0")/lib.sh"
needs dmsetup thin_check mdadm fio e2fsck
needs_target thin-pool

a_new_disk_is_all_zeros() {
	local one two
	one=$(disk 16)
	two=$(disk 16)
	fill "$one" 1
	holds "$one" 1
	cmp -n $((16 << 20)) "$two" /dev/zero
}

a_pattern_out_of_place_is_seen() {
	local one
	one=$(disk 16)
	fill "$one" 1
	dd if="$one" of="$one" bs=4096 skip=3 seek=4 count=1 conv=notrunc status=none
	fails_with 'at 16 KiB' holds "$one" 1
}

snapshots_keep_what_their_origin_had() {
	local metadata data
	metadata=$(disk 8)
	data=$(disk 64)
	pool p "$metadata" "$data"
	volume p 0 32 v0
	fill /dev/mapper/v0 5 0 16384
	snapshot p 1 0
	fill /dev/mapper/v0 6 4096 4096
	activate p 1 32 s1 --readonly
	holds /dev/mapper/s1 5 0 16384
	holds /dev/mapper/v0 5 0 4096
	holds /dev/mapper/v0 6 4096 4096
	fails message p delete 1
	set -- $(pool_devices p)
	same_device "$1" "$metadata"
	same_device "$2" "$data"
	deactivate s1 v0 p
	thin_check "$metadata"
}

a_raid5_holds_a_pool_with_a_file_system() {
	local md
	md=$(raid5 te 64 $(disk 64) $(disk 64) $(disk 64) $(disk 64))
	pool r "$(disk 8)" "$md"
	volume r 0 64 fs
	mkfs.ext4 -q /dev/mapper/fs
	mkdir "$TE_TMP/mnt"
	mount /dev/mapper/fs "$TE_TMP/mnt"
	later umount "$TE_TMP/mnt"
	cp /bin/bash "$TE_TMP/mnt/"
	umount "$TE_TMP/mnt"
	e2fsck -fn /dev/mapper/fs
	deactivate fs r
}

fio_verifies_what_it_wrote() {
	fio --name=t --filename="$(disk 16)" --rw=randwrite --bs=4k --size=16m --direct=1 \
		--ioengine=libaio --iodepth=8 --verify=crc32c --minimal
}

scsi_disks_give_back_what_is_discarded() {
	local disks
	disks=$(scsi_disks 2 16)
	[ "$(wc -l <<<"$disks")" -eq 2 ]
	set -- $disks
	fill "$1" 3
	blkdiscard "$1"
	cmp -n $((16 << 20)) "$1" /dev/zero
}

run_tests \
	a_new_disk_is_all_zeros \
	a_pattern_out_of_place_is_seen \
	snapshots_keep_what_their_origin_had \
	a_raid5_holds_a_pool_with_a_file_system \
	fio_verifies_what_it_wrote \
	scsi_disks_give_back_what_is_discarded
