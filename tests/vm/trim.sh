#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `thinexport trim`: what no volume has goes down to the array's members; what is
# allocated meanwhile does not; killed, it leaves nothing that cleanup does not end.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/load.bash"
. "$(dirname "$0")/lvm.bash"
. "$(dirname "$0")/trim.bash"
needs dmsetup mdadm blkdiscard fio jq lvm losetup thin_check thinexport
needs_target thin-pool delay
needs_module

the_space_of_deleted_volumes_goes_down_to_the_members() {
	local before free
	array
	metadata=$(disk 8)
	pool t "$metadata" /dev/mapper/p
	volume t 0 24 v0
	# Ends inside a stripe, which is the next one's too.
	volume t 1 47 v1
	volume t 2 24 v2
	fill /dev/mapper/v0 1
	fill /dev/mapper/v1 2
	fill /dev/mapper/v2 3
	snapshot t 3 2
	deactivate v1
	message t delete 1
	# Nobody has an inactive one open, but its blocks are its own.
	deactivate v2
	message t delete 2
	sync
	before=$(held)

	thinexport trim -n --json t >"$TE_TMP/report"
	nothing_is_left t
	report '.done == false and .used_bytes == 48 * 1048576'
	report '.free_bytes == .size_bytes - .used_bytes'
	free=$(report .free_bytes)
	[ "$(held)" -eq "$before" ]
	is p discards 0

	thinexport trim --json t >"$TE_TMP/report"
	nothing_is_left t
	is p guard -
	report ".done and .free_bytes == $free and .sent_bytes == $free"
	report '.written_bytes == 0 and .due_bytes == 0 and .beside_bytes == 0'
	report '.passed_bytes == .stripes_bytes and .passed_bytes >= 70 * 1048576'
	# A third more, for the parity.
	[ $((before - $(held))) -ge $((46 * 1048576 * 4 / 3)) ]
	thinexport trim t | tee "$TE_TMP/shown"
	fails awk 'length > 80 { found = 1; print } END { exit !found }' "$TE_TMP/shown"
	holds /dev/mapper/v0 1
	activate t 3 24 v3
	holds /dev/mapper/v3 3
	# Not active, with nobody to snapshot or suspend.
	fails_with 'is in use' thinexport trim --metadata "$metadata" --data /dev/mapper/p
	deactivate v3
	message t delete 3
	deactivate v0 t
	before=$(held)
	thinexport trim --json --metadata "$metadata" --data /dev/mapper/p >"$TE_TMP/report"
	report '.done and .used_bytes == 24 * 1048576 and .passed_bytes >= 23 * 1048576'
	is p guard -
	[ $((before - $(held))) -ge $((23 * 1048576 * 4 / 3)) ]
	pool_open t "$metadata" /dev/mapper/p
	activate t 0 24 v0
	holds /dev/mapper/v0 1
	deactivate v0 t
	thin_check "$metadata"
	end_array
}

what_is_written_meanwhile_stays() {
	local trim
	array
	slow_metadata
	pool t /dev/mapper/slow /dev/mapper/p
	volume t 0 24 v0
	volume t 1 48 v1
	volume t 2 32 v2
	fill /dev/mapper/v0 1
	fill /dev/mapper/v1 2
	deactivate v1
	message t delete 1
	slow_reads $((100 * ${TE_SLOW:-1}))
	thinexport trim --json t >"$TE_TMP/report" &
	trim=$!
	wait_for 20 is p guard guarded >/dev/null
	fill /dev/mapper/v2 5
	fill /dev/mapper/v0 6 0 4096
	wait $trim
	slow_reads 0
	cat "$TE_TMP/report"
	report '.done and .written_bytes > 1048576'
	blockdev --flushbufs /dev/mapper/v2
	holds /dev/mapper/v2 5
	holds /dev/mapper/v0 6 0 4096
	holds /dev/mapper/v0 1 4096 20480
	nothing_is_left t
	deactivate v0 v2 t slow
	thin_check "$metadata"
	end_array
}

# Volumes come and go, and are written and verified, trim upon trim.
no_data_is_lost_under_load_while_stripes_go_down_by_themselves() {
	local round
	on_one_kernel
	array auto
	metadata=$(disk 8)
	pool t "$metadata" /dev/mapper/p
	volume t 0 16 v0
	volume t 1 16 v1
	start_load --iodepth=4
	for ((round = 0; round < ${TE_ROUNDS:-3}; round++)); do
		volume t 10 12 other
		fill /dev/mapper/other $round
		snapshot t 11 0
		thinexport trim --json t >"$TE_TMP/report" || { cat "$TE_TMP/report"; return 1; }
		holds /dev/mapper/other $round
		deactivate other
		message t delete 10
		message t delete 11
	done
	thinexport trim --json t >"$TE_TMP/report"
	report '.passed_bytes > 0'
	end_load
	nothing_is_left t
	deactivate v0 v1 t
	thin_check "$metadata"
	end_array
}

killed_it_is_ended_by_cleanup() {
	local round trim cleaned=0
	on_one_kernel
	array
	slow_metadata
	pool t /dev/mapper/slow /dev/mapper/p
	volume t 0 24 v0
	volume t 1 24 v1
	fill /dev/mapper/v0 1
	fill /dev/mapper/v1 2
	deactivate v1
	message t delete 1
	slow_reads $((20 * ${TE_SLOW:-1}))
	for ((round = 0; round < ${TE_ROUNDS:-4}; round++)); do
		thinexport trim t >/dev/null 2>&1 &
		trim=$!
		sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
		kill -9 $trim 2>/dev/null || true
		wait $trim || true
		wait_for 20 none_is_suspended
		if ls $te_records | grep -q .; then
			cleaned=$((cleaned + 1))
			fails_with 'earlier run .* was interrupted' thinexport trim t
		fi
		thinexport cleanup t
		nothing_is_left t
		is p guard -
	done
	echo "$cleaned had to be cleaned up"
	# In its midst, for certain.
	thinexport trim t >/dev/null 2>&1 &
	trim=$!
	wait_for 20 is p guard guarded >/dev/null
	kill -9 $trim
	wait $trim || true
	thinexport cleanup -n t | grep 'would end the guard of p'
	thinexport cleanup t
	nothing_is_left t
	is p guard -
	# Told to stop, it undoes its work.
	thinexport trim t >/dev/null 2>&1 &
	trim=$!
	wait_for 20 is p guard guarded >/dev/null
	kill -TERM $trim
	fails wait $trim
	nothing_is_left t
	is p guard -
	holds /dev/mapper/v0 1
	deactivate v0 t slow
	thin_check "$metadata"
	end_array
}

a_pool_of_lvm_over_two_passdowns_is_trimmed() {
	local before other
	on_one_kernel
	array
	other=$md
	file_disks 4 4 64
	md=$(safe_raid5 te2 64 "${members[@]}")
	later mdadm --quiet --stop "$md"
	passdown q "$md" stripe 384
	mkdir "$TE_TMP/lvm"
	cp /etc/lvm/lvm.conf "$TE_TMP/lvm/"
	sed -i 's#devices {#devices { filter=["a|/dev/mapper/[pq]$|","r|.*|"]#' "$TE_TMP/lvm/lvm.conf"
	export LVM_SYSTEM_DIR=$TE_TMP/lvm
	group vg /dev/mapper/p /dev/mapper/q
	lvm_pool vg/pool 300
	lvm_volume vg/pool a 120
	lvm_volume vg/pool b 100
	fill /dev/vg/a 1
	fill /dev/vg/b 2
	fails_with 'vg/b is a volume' thinexport trim vg/b
	lvremove -q -y vg/a
	sync
	before=$(held)
	thinexport trim --json vg/pool | tee "$TE_TMP/report"
	report '.done and .passed_bytes > 110 * 1048576 and .written_bytes == 0'
	[ "$(status p passed)" -gt 0 ]
	[ "$(status q passed)" -gt 0 ]
	[ $((before - $(held))) -ge $((110 * 1048576)) ]
	holds /dev/vg/b 2
	vgremove -q -ff -y vg
	deactivate q
	mdadm --quiet --stop "$md"
	md=$other
	deactivate p
	mdadm --quiet --stop "$md"
}

without_a_passdown_nothing_of_a_live_pool_is_discarded() {
	pool t "$(disk 8)" "$(disk 64)"
	volume t 0 16 v0
	fill /dev/mapper/v0 1
	fails_with 'nowhere on a passdown.*thinexport passdown create' thinexport trim t
	thinexport trim -n --json t >"$TE_TMP/report"
	report '.free_bytes == 48 * 1048576 and .beside_bytes == .free_bytes
		and (.beside_on | startswith("vd"))'
	nothing_is_left t
	fails_with 'no such device-mapper device' thinexport trim nothing
	fails_with 'takes bytes' thinexport trim --rate fast t
	deactivate v0 t
}

run_tests \
	the_space_of_deleted_volumes_goes_down_to_the_members \
	what_is_written_meanwhile_stays \
	no_data_is_lost_under_load_while_stripes_go_down_by_themselves \
	killed_it_is_ended_by_cleanup \
	a_pool_of_lvm_over_two_passdowns_is_trimmed \
	without_a_passdown_nothing_of_a_live_pool_is_discarded
