#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# send without a codec, to /dev/null, against dd of as many bytes from the data
# device, in one boot, in turns.  Prints the ratio of the medians; wants 0.9.  Once
# from devices and once through a view.
#
# The data lies on a disk that is slow (tests/qemu/run), as the processor is, which is
# emulated: what is measured is whether the disk is kept busy, not how long QEMU takes
# for a checksum.  For that, natively, see send.sh.
# timeout: 300
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/report.sh"
needs dmsetup thinexport pattern
needs_target thin-pool

volume_mib=64
rounds=3

copy() { dd if="$data" of=/dev/null bs=1M count=$volume_mib iflag=direct status=none; }

send() { thinexport send --codec none "$@" >/dev/null 2>"$TE_TMP/said"; }

race() { # race NAME ARGUMENT...: of send
	local name=$1 round
	shift
	for ((round = 0; round < rounds; round++)); do
		ms copy >>"$TE_TMP/dd"
		ms send "$@" >>"$TE_TMP/send"
	done
	local send dd
	send=$(median <"$TE_TMP/send")
	dd=$(median <"$TE_TMP/dd")
	ratio "$name: dd takes x of its time" "$(divide "$dd" "$send")" '%.2f' '>=' 0.9 \
		>>"$TE_TMP/results"
	[ "$reached" = yes ]
}

a_pool_is_written() {
	pool p "$metadata" "$data"
	volume p 0 $volume_mib v0
	fill /dev/mapper/v0 1
	deactivate v0 p
}

send_from_devices_is_at_least_90_percent_of_dd() {
	race 'send, slow disk' --metadata "$metadata" --data "$data"
}

send_through_a_view_is_at_least_90_percent_of_dd() {
	load_module || skip "the module dm-thinexport is not built or installed"
	rm -f "$TE_TMP/dd" "$TE_TMP/send"
	dmsetup create view --readonly --table \
		"0 $((2048 * (volume_mib + 16))) thinexport $metadata $data 1 superblock_root 1 0 -"
	later dmsetup remove --retry view
	race 'send, slow disk, view' /dev/mapper/view
	deactivate view
}

metadata=$(disk 8) || exit 1
data=$(slow_disks | head -1)
[ -n "$data" ] || skip_all "there is no slow disk: TE_DISK_RATE of tests/qemu/run"
trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests \
	a_pool_is_written \
	send_from_devices_is_at_least_90_percent_of_dd \
	send_through_a_view_is_at_least_90_percent_of_dd
