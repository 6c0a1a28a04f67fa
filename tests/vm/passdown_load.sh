#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No data is lost: volumes are written and verified without pause while others are
# created, snapshotted, discarded and deleted, and what they free is passed down, on
# an array whose discards take their time.  TE_ROUNDS (3): of that, for each mode.
# timeout: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
. "$(dirname "$0")/load.bash"
needs dmsetup mdadm blkdiscard fio thin_check
needs_target thin-pool delay
needs_module

# Blocks are freed in all ways there are, and allocated again at once.
churn() { # churn ROUND
	volume t 10 24 other
	fill /dev/mapper/other "$1"
	snapshot t 11 0
	snapshot t 12 10
	discard /dev/mapper/other $((RANDOM % 64 * 64)) 8192
	holds /dev/mapper/other "$1" 16384 8192
	activate t 12 24 kept
	deactivate other
	message t delete 10
	holds /dev/mapper/kept "$1"
	blkdiscard /dev/mapper/kept
	deactivate kept
	message t delete 12
	message t delete 11
}

# Of p, with nobody on it: so what is counted as things change is what there is.
all_can_be_freed() {
	local units
	units=$(($(size_of /dev/mapper/p) / 384 * 3))
	blkdiscard /dev/mapper/p
	dmsetup message p 0 flush >"$TE_TMP/flushed"
	is p free 0
	is p due 0
	is p trimmed $units
	fill /dev/mapper/p 1 0 1024
	is p trimmed $((units - 16))
	discard /dev/mapper/p 0 1024
	dmsetup message p 0 flush >"$TE_TMP/flushed"
	is p trimmed $units
}

volumes_stay_right_under_load() { # volumes_stay_right_under_load [FEATURE...]
	local md metadata round sync
	mapfile -t members < <(scsi_disks 4 64)
	md=$(safe_raid5 te 64 "${members[@]}")
	sync=/sys/block/$(basename "$md")/md
	# The array below the pool, slow in its discards as in its writes.
	dmsetup create slow --table "0 $(size_of "$md") delay $md 0 0 $md 0 5"
	later dmsetup remove --retry slow
	passdown p /dev/mapper/slow stripe 384 "$@"
	metadata=$(disk 8)
	pool t "$metadata" /dev/mapper/p
	volume t 0 16 v0
	volume t 1 16 v1
	start_load --iodepth=4
	for ((round = 0; round < ${TE_ROUNDS:-3}; round++)); do
		churn $round
		dmsetup message p 0 flush >"$TE_TMP/flushed"
	done
	dmsetup status p
	[ "$(status p passed)" -ge 10 ]
	is p errors 0
	end_load
	deactivate v0 v1 t
	thin_check "$metadata"
	all_can_be_freed
	deactivate p slow
	echo check >"$sync/sync_action"
	mdadm --wait "$md" || true
	[ "$(cat "$sync/mismatch_cnt")" -eq 0 ]
	mdadm --quiet --stop /dev/md/te
	modprobe -r scsi_debug
}

no_data_is_lost_when_stripes_are_held_and_flushed() {
	volumes_stay_right_under_load
}

no_data_is_lost_when_stripes_go_down_by_themselves() {
	volumes_stay_right_under_load auto
}

run_tests \
	no_data_is_lost_when_stripes_are_held_and_flushed \
	no_data_is_lost_when_stripes_go_down_by_themselves
