#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The power fails while `send` is at work on a live pool: what it has written down
# is enough for `cleanup` to undo it, and the volumes are as they were.
# kernel: 6.1
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/power.bash"
needs dmsetup thin_check thin_ls mkfs.ext4 thinexport
needs_target thin-pool

# Files metadata, data and records: a pool, and the file system for the records.
source_pool() {
	metadata=$(disk 2)
	data=$(disk 16)
	records=$(disk 8)
	pool p "$metadata" "$data"
	volume p 0 4 v0
	volume p 1 4 v1
	fill /dev/mapper/v0 1
	fill /dev/mapper/v1 2 0 2048
	deactivate v0 v1 p
	mkfs.ext4 -q "$records"
	cp "$metadata" "$TE_TMP/metadata"
	cp "$data" "$TE_TMP/data"
	cp "$records" "$TE_TMP/records"
}

mount_records() { # mount_records DEVICE
	mount "$1" $te_records
	later umount $te_records
	rm -rf $te_records/lost+found
}

# The same as is there, so that v0 is at any moment what it was; but its blocks are
# shared with the snapshot, and copied.
send_and_write() {
	pool_open p /dev/nbd0 /dev/nbd1
	activate p 0 4 v0
	activate p 1 4 v1
	mount_records /dev/nbd2
	hold_sender --direct p
	fill /dev/mapper/v0 1 0 2048
	end_sender
	nothing_is_left p
	deactivate v0 v1 p
	umount $te_records
}

# After the power is back: the pool is whole, `cleanup` finds what it needs.
cleans_up() {
	thin_check -q "$metadata"
	mount_records "$records"
	rm -rf /run/thinexport
	sed -i 's/^boot ./boot x/' $te_records/*.record 2>/dev/null || true
	snapshots=$(thin_ls --no-headers -o DEV "$metadata" | grep -c 1677721) || true
	pool_open p "$metadata" "$data"
	if ! thinexport cleanup p 2>"$TE_TMP/said"; then
		cat "$TE_TMP/said"
		# It may be another program's, for all that is known: that is left to the admin.
		grep -q 'p 0 release_metadata_snap' "$TE_TMP/said"
		message p release_metadata_snap
		left=$((left + 1))
	fi
	nothing_is_left p
	activate p 0 4 v0
	activate p 1 4 v1
	holds /dev/mapper/v0 1
	holds /dev/mapper/v1 2 0 2048
	deactivate v0 v1 p
	umount $te_records
	thin_check -q "$metadata"
	has_only "$metadata" 0 1
}

the_power_fails_while_a_pool_is_sent() {
	local all moment seed number snapshots left=0 undone=0
	source_pool
	record "$TE_TMP/metadata" "$TE_TMP/data" "$TE_TMP/records"
	send_and_write
	end_record
	mapfile -t all < <(moments)
	echo "${#all[@]} moments"
	# Eight of them; of what was in a cache, nothing is kept, or some pages.
	for number in 0 1 2 3 4 5 6 7; do
		moment=${all[$((number * (${#all[@]} - 1) / 7))]}
		seed=$((number % 2 * 2))
		power_cut "$moment" $seed "$metadata" "$data" "$records"
		cleans_up
		echo "moment $moment, seed $seed: $snapshots snapshots"
		[ "$snapshots" -eq 0 ] || undone=$((undone + 1))
	done
	echo "$undone times there were snapshots, $left times a metadata snapshot was left"
	[ $undone -gt 1 ]
}

run_tests the_power_fails_while_a_pool_is_sent
