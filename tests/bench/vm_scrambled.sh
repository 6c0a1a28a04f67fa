#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# send of a volume whose blocks were written at random, and so lie at random in the
# pool, against one of the same size that was written in order, in one boot, in turns.
# Wants 1.5 of its time.  Each read of the data's disk takes 10 ms more than its bytes
# do, as seeks would, and as many as are in flight take them together; the disk
# itself is slow (tests/qemu/run), as the processor is: see vm_send.sh.
# timeout: 400
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/report.sh"
needs dmsetup thin_dump fio thinexport
needs_target thin-pool delay

volume_mib=48
rounds=3

# seeking NAME DISK: the disk, with the cost of seeks when it is read.
seeking() {
	dmsetup create "$1" --table "0 $(size_of "$2") delay $2 0 10 $2 0 0" || return
	later dmsetup remove --retry "$1"
}

# a_pool NAME METADATA RW: a volume that fio has written so.
a_pool() {
	pool "$1" "$2" "/dev/mapper/$1-data"
	volume "$1" 0 $volume_mib "$1-0"
	fio --name=x --filename="/dev/mapper/$1-0" --rw="$3" --bs=64k --direct=1 --ioengine=psync \
		--size=${volume_mib}M --refill_buffers --randseed=7 >"$TE_TMP/fio"
	deactivate "$1-0" "$1"
}

runs_of() { thin_dump "$1" | grep -cE '<(range|single)_mapping '; }

the_pools_are_written() {
	a_pool tidy "$tidy" write
	a_pool scrambled "$scrambled" randwrite
	[ "$(runs_of "$tidy")" -eq 1 ]
	[ "$(runs_of "$scrambled")" -gt $((volume_mib * 16 * 9 / 10)) ]
}

send() { # send METADATA NAME
	thinexport send --codec none --metadata "$1" --data "/dev/mapper/$2-data" \
		>/dev/null 2>"$TE_TMP/said"
}

a_scrambled_pool_is_sent_within_1_5_of_a_tidy_one() {
	local round
	for ((round = 0; round < rounds; round++)); do
		ms send "$tidy" tidy >>"$TE_TMP/tidy"
		ms send "$scrambled" scrambled >>"$TE_TMP/scrambled"
	done
	ratio "send, scrambled pool: x of a tidy one's time" \
		"$(divide "$(median "$TE_TMP/scrambled")" "$(median "$TE_TMP/tidy")")" '%.2f' \
		'<=' 1.5 >>"$TE_TMP/results"
	[ "$reached" = yes ]
}

tidy=$(disk 8) && scrambled=$(disk 8) || exit 1
disks=$(slow_disks | head -2)
[ -n "$disks" ] || skip_all "there are no slow disks: TE_DISK_RATE of tests/qemu/run"
# shellcheck disable=SC2086
set -- $disks
seeking tidy-data "$1" && seeking scrambled-data "$2" || exit 1
trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests \
	the_pools_are_written \
	a_scrambled_pool_is_sent_within_1_5_of_a_tidy_one
