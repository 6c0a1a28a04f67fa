#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A RAID5 grows from three to four disks below a pool that is written, with discards
# held: nothing hangs, nothing is lost, and a table with the new stripe gives it back.
# timeout: 480
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../passdown.bash"
needs dmsetup mdadm blkdiscard fio thin_check
needs_target thin-pool
needs_module

an_array_grows_while_its_pool_is_written() {
	local md metadata round=0 load status=0
	sparse_disks 4 32
	md=$(md_array 5 64 "${sparse_disks[@]:0:3}")
	passdown p "$md"
	is p stripe 256
	metadata=$(disk 8)
	pool t "$metadata" /dev/mapper/p
	volume t 0 16 v
	fio --name=v --filename=/dev/mapper/v --size=16m --bs=16k --direct=1 --ioengine=libaio \
		--iodepth=4 --rw=randwrite --verify=crc32c --verify_fatal=1 --loops=30 \
		--rate=8m >"$TE_TMP/load" 2>&1 &
	load=$!
	later kill $load
	mdadm --quiet --add "$md" "${sparse_disks[3]}"
	state_of "$md" sync_speed_min 100
	state_of "$md" sync_speed_max 500
	mdadm --quiet --grow "$md" --raid-devices=4 --backup-file="$TE_TMP/backup"
	wait_for 20 is_reshaping "$md"
	while is_reshaping "$md"; do
		volume t $((round + 1)) 8 other
		fill /dev/mapper/other $round
		discard /dev/mapper/other 0 4096
		holds /dev/mapper/other $round 4096 4096
		deactivate other
		message t delete $((round + 1))
		round=$((round + 1))
		[ $round -ne 3 ] || state_of "$md" sync_speed_max 100000
	done
	[ $round -ge 2 ]
	wait_for 60 is_idle "$md"
	[ "$(status p free)" -ge 64 ]
	is p passed 0
	is p errors 0
	# The array is larger, and its stripe is another.
	dmsetup suspend t
	dmsetup reload p --table "$(passdown_table "$md" stripe 384)"
	dmsetup suspend p
	dmsetup resume p
	dmsetup resume t
	volume t 1 8 other
	fill /dev/mapper/other 1
	blkdiscard -f /dev/mapper/other
	dmsetup message p 0 flush
	[ "$(status p passed)" -ge 30 ]
	wait $load || status=$?
	[ $status -eq 0 ] || { cat "$TE_TMP/load"; return 1; }
	deactivate other v t p
	thin_check "$metadata"
	is_consistent "$md"
	stop_array
	end_sparse_disks
}
is_reshaping() { [ "$(state_of "$1" sync_action)" = reshape ]; }

run_tests an_array_grows_while_its_pool_is_written
