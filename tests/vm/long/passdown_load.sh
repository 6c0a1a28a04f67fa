#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The long form of ../passdown_load.sh: volumes of a nearly full pool are written and
# verified while others are created, snapshotted, discarded, deleted and trimmed, on
# RAID5 and RAID6, with stripes held and passed down at once.  Then the array is checked,
# a disk of it fails and is replaced, and the data is still the same.
# TE_MODE (all): one of raid5-held, raid5-auto, raid6-held, raid6-auto.
# TE_LOOPS (42): of the load, in each of them: 12,288 blocks of 4 KiB are written and verified.
# timeout: 2400
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../passdown.bash"
needs dmsetup mdadm blkdiscard fio jq thin_check thin_dump thinexport
needs_target thin-pool delay
needs_module

volumes='v0 v1 v2'
loops=${TE_LOOPS:-42}
# With all loops 50 trims, in each of the four.
rounds=$(((loops * 25 + 41) / 42))
fio_options=(--bs=64k --size=16m --direct=1 --ioengine=libaio --iodepth=2 --verify=crc32c
	--verify_interval=4k --verify_fatal=1 --output-format=json)

fio_jobs() {
	local name
	for name in $volumes; do echo "--name=$name --filename=/dev/mapper/$name"; done
}

# fio_blocks FILE: blocks of 4 KiB that were read and found right.
fio_blocks() {
	sed -n '/^{/,$p' "$1" | jq '[.jobs[].read.io_bytes] | add / 4096 | floor'
}

start_load() {
	# Each volume is written and read again as a whole, in random order, over and over.
	fio "${fio_options[@]}" --rw=randwrite --loops="$loops" \
		$(fio_jobs) >"$TE_TMP/load" 2>&1 &
	load=$!
	later kill $load
}

churn() { # churn ROUND: blocks are freed in all ways there are, and allocated again at once
	volume t 10 8 other
	fill /dev/mapper/other "$1"
	snapshot t 11 0
	snapshot t 12 10
	discard /dev/mapper/other $((RANDOM % 32 * 64)) 2048
	holds /dev/mapper/other "$1" 4096 4096
	activate t 12 8 kept
	deactivate other
	message t delete 10
	freeze_free_blocks t p
	holds /dev/mapper/kept "$1"
	blkdiscard /dev/mapper/kept
	deactivate kept
	message t delete 12
	message t delete 11
	volume t 13 8 other
	fill /dev/mapper/other "$1"
	discard_frozen p
	dmsetup message p 0 flush >>"$TE_TMP/flushed"
	holds /dev/mapper/other "$1"
	deactivate other
	message t delete 13
}

# mode LEVEL-MODE: is one of those that are wanted.
mode() { [ "${TE_MODE:-$1}" = "$1" ] || skip "TE_MODE is $TE_MODE"; }

data_stays_right() { # data_stays_right LEVEL DISKS STRIPE_KIB MODE [FEATURE...]
	local level=$1 disks=$2 kib=$3 mode=$4 md metadata name id=0 round=0 status=0
	shift 4
	mode "raid$level-$mode"
	sparse_disks $((disks + 1)) 30
	md=$(md_array "$level" 64 "${sparse_disks[@]:0:disks}")
	dmsetup create slow --table "0 $(size_of "$md") delay $md 0 0 $md 0 2"
	later dmsetup remove --retry slow
	passdown p /dev/mapper/slow stripe $((kib * 2)) "$@"
	is p mode "$mode"
	metadata=$(disk 8)
	pool t "$metadata" /dev/mapper/p
	for name in $volumes; do
		volume t $id 16 "$name"
		id=$((id + 1))
	done
	start_load
	while kill -0 $load 2>/dev/null || [ $round -lt $rounds ]; do
		churn $((round++))
		thinexport trim --json t >"$TE_TMP/report" || { cat "$TE_TMP/report"; return 1; }
	done
	wait $load || status=$?
	[ $status -eq 0 ] || { cat "$TE_TMP/load"; return 1; }
	dmsetup status p
	is p errors 0
	is p guard -
	echo "RAID$level, $mode: $(fio_blocks "$TE_TMP/load") blocks verified, $((round * 2)) trims," \
		"$(status p passed) stripes passed, $(status p waited) writes waited," \
		"$(status p guarded) units guarded" >>"$TE_TMP/results"
	stays_through_a_lost_disk
	deactivate $volumes t p slow
	thin_check "$metadata"
	is_consistent "$md"
	stop_array
	end_sparse_disks
}

is_whole() { [ "$(state_of "$md" degraded)" -eq 0 ] && is_idle "$md"; }

stays_through_a_lost_disk() {
	local name
	for name in $volumes; do
		sum "/dev/mapper/$name"
	done >"$TE_TMP/before"
	is_consistent "$md"
	mdadm --quiet "$md" --fail "${sparse_disks[0]}"
	wait_for 20 mdadm --quiet "$md" --remove "${sparse_disks[0]}"
	mdadm --quiet "$md" --add "${sparse_disks[disks]}"
	wait_for 120 is_whole
	for name in $volumes; do
		sum "/dev/mapper/$name"
	done >"$TE_TMP/after"
	cmp "$TE_TMP/before" "$TE_TMP/after"
}

data_stays_right_on_raid5_with_stripes_held() {
	data_stays_right 5 4 192 held
}
data_stays_right_on_raid5_with_stripes_passed_at_once() {
	data_stays_right 5 4 192 auto auto
}
data_stays_right_on_raid6_with_stripes_held() {
	data_stays_right 6 5 192 held
}
data_stays_right_on_raid6_with_stripes_passed_at_once() {
	data_stays_right 6 5 192 auto auto
}

trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests \
	data_stays_right_on_raid5_with_stripes_held \
	data_stays_right_on_raid5_with_stripes_passed_at_once \
	data_stays_right_on_raid6_with_stripes_held \
	data_stays_right_on_raid6_with_stripes_passed_at_once
