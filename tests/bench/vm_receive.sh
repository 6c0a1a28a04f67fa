#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# receive onto a RAID5, against dd of as many bytes onto the same array (1 MiB,
# direct), and against the way without us: each volume out of a gzip'ed image
# through `dd conv=sparse` into a thin volume of a new pool.  In one boot, in
# turns; prints the ratios of the medians; wants 0.9 and 4.  The array's disks are slow
# (tests/qemu/run), as the processor is: see vm_send.sh.
# timeout: 900
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/report.sh"
needs dmsetup mdadm thinexport pattern gzip
needs_target thin-pool

large_mib=240			# what is raced with dd: start and end cost little beside it
volume_mib=32
snapshots='1 2 3 4 5'
rounds=3

metadata=/dev/ram0
from_metadata=/dev/ram1
from_data=/dev/ram2

send() { # send CODEC FILE
	thinexport send --codec "$1" --metadata $from_metadata --data $from_data -o "$2"
}

a_large_volume_is_sent_to_a_file() {
	pool p $from_metadata $from_data
	volume p 0 $large_mib v0
	fill /dev/mapper/v0 1
	deactivate v0 p
	send none "$TE_TMP/stream"
}

# A volume and five snapshots of it, each with some MiB of its own: as a stream, and
# as a gzip'ed image each.
a_pool_and_its_images_are_made() {
	local id
	rm "$TE_TMP/stream"
	pool p $from_metadata $from_data
	volume p 0 $volume_mib v0
	fill /dev/mapper/v0 1
	for id in $snapshots; do
		snapshot p "$id" 0
		fill /dev/mapper/v0 "1$id" $((id * 4096)) 1024
	done
	for id in $snapshots; do activate p "$id" $volume_mib "v$id"; done
	for id in 0 $snapshots; do
		gzip -1 <"/dev/mapper/v$id" >"$TE_TMP/image$id.gz"
		deactivate "v$id"
	done
	deactivate p
	send zlib:1 "$TE_TMP/packed"
}

copy() {
	dd if="$TE_TMP/stream" of="$md" bs=1M oflag=direct iflag=fullblock conv=fsync status=none
}

receive() { # receive STREAM
	thinexport receive --force -i "$1" --metadata "$metadata" --data "$md" 2>"$TE_TMP/said"
}

receive_on_raid5_is_at_least_90_percent_of_dd() {
	local round
	for ((round = 0; round < rounds; round++)); do
		ms copy >>"$TE_TMP/dd"
		ms receive "$TE_TMP/stream" >>"$TE_TMP/receive"
	done
	thin_check -q "$metadata"
	ratio "receive on RAID5: dd takes x of its time" \
		"$(divide "$(median "$TE_TMP/dd")" "$(median "$TE_TMP/receive")")" '%.2f' '>=' 0.9 \
		>>"$TE_TMP/results"
	[ "$reached" = yes ]
}

by_hand() {
	local id
	for id in 0 $snapshots; do
		gunzip <"$TE_TMP/image$id.gz" |
			dd of="/dev/mapper/h$id" bs=64K conv=sparse,notrunc,fsync iflag=fullblock \
				status=none || return
	done
}

receive_is_at_least_4_times_as_fast_as_by_hand() {
	local id round
	for ((round = 0; round < 2; round++)); do
		pool h "$metadata" "$md" 128 skip_block_zeroing
		for id in 0 $snapshots; do volume h "$id" $volume_mib "h$id"; done
		ms by_hand >>"$TE_TMP/hand"
		for id in 0 $snapshots; do deactivate "h$id"; done
		deactivate h
		ms receive "$TE_TMP/packed" >>"$TE_TMP/packed.times"
	done
	ratio "receive, zlib: gunzip | dd takes x of its time" \
		"$(divide "$(median "$TE_TMP/hand")" "$(median "$TE_TMP/packed.times")")" '%.1f' \
		'>=' 4 >>"$TE_TMP/results"
	[ "$reached" = yes ]
}

ram_disks 3 280 >/dev/null || exit 1
members=$(slow_disks)
[ -n "$members" ] || skip_all "there are no slow disks: TE_DISK_RATE of tests/qemu/run"
md=$(raid5 te 512 $members) || exit 1
trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests \
	a_large_volume_is_sent_to_a_file \
	receive_on_raid5_is_at_least_90_percent_of_dd \
	a_pool_and_its_images_are_made \
	receive_is_at_least_4_times_as_fast_as_by_hand
