#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Nothing is lost to a discard: not what is written while one is in flight, on a disk
# that holds discards back and not writes, nor what is written while a pool's free
# blocks are being discarded.  TE_ROUNDS (3).
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
needs dmsetup mdadm blkdiscard fio thin_dump slow_discards
needs_target thin-pool
needs_module
modprobe -q -n nbd || skip_all "no module nbd"

rounds=${TE_ROUNDS:-3}

# write_during_discards DEVICE STRIPE_KIB: ten stripes are in flight, and all of them
# are written to at once.
write_during_discards() {
	local device=$1 kib=$(($2 * 10)) round place writers
	slow_discards "$device" 0
	passdown p /dev/nbd0 stripe $(($2 * 2))
	fill /dev/mapper/p 0 0 4096
	for ((round = 1; round <= rounds; round++)); do
		discard /dev/mapper/p 0 $kib
		hold_discards
		dmsetup message p 0 flush >"$TE_TMP/flushed" &
		writers=($!)
		wait_for 20 a_discard_is_held
		for ((place = 0; place < kib; place += kib / 10)); do
			fill /dev/mapper/p $round$place $((place + round * 4)) 16 &
			writers+=($!)
		done
		# They have all begun to wait, or whoever does not wait is done.
		wait_for 30 has_waited $((round * 10)) || true
		release_discards
		wait "${writers[@]}"
		cat "$TE_TMP/flushed"
		for ((place = 0; place < kib; place += kib / 10)); do
			holds /dev/mapper/p $round$place $((place + round * 4)) 16
		done
	done
	holds /dev/mapper/p 0 $kib 1024
	has_waited $((rounds * 10))
	is p errors 0
	deactivate p
	end_slow_discards
	for ((place = 0; place < kib; place += kib / 10)); do
		holds "$device" $rounds$place $((place + rounds * 4)) 16
	done
}

what_is_written_during_a_discard_of_a_disk_lands_after_it() {
	write_during_discards "$(disk 16)" 192
}

what_is_written_during_a_discard_of_a_raid5_lands_after_it() {
	local md
	sparse_disks 5 8
	# A power of two, since what stands between cuts discards at md's granularity.
	md=$(md_array 5 64 "${sparse_disks[@]}")
	write_during_discards "$md" 256
	is_consistent "$md"
	stop_array
	end_sparse_disks
}

a_write_that_must_not_wait_is_sent_back() {
	slow_discards "$(disk 16)" 0
	passdown p /dev/nbd0 stripe 384
	discard /dev/mapper/p 0 384
	hold_discards
	dmsetup message p 0 flush &
	wait_for 20 a_discard_is_held
	fails_with 'Resource temporarily unavailable' fio --name=now --filename=/dev/mapper/p \
		--ioengine=libaio --nowait=1 --direct=1 --rw=write --bs=4k --size=4k
	is p waited 1
	release_discards
	wait $!
	fio --name=then --filename=/dev/mapper/p --ioengine=libaio --nowait=1 --direct=1 \
		--rw=write --bs=4k --size=4k >"$TE_TMP/then"
	deactivate p
	end_slow_discards
}

# Blocks that were free when the trim began are allocated before it comes to them.
a_trim_of_a_live_pool_spares_what_was_written_since() {
	local metadata md round
	sparse_disks 4 24
	md=$(md_array 5 64 "${sparse_disks[@]}")
	metadata=$(disk 8)
	passdown p "$md" stripe 384
	pool t "$metadata" /dev/mapper/p
	volume t 0 16 kept
	fill /dev/mapper/kept 1
	for ((round = 1; round <= rounds; round++)); do
		volume t $round 16 gone
		fill /dev/mapper/gone 2
		deactivate gone
		message t delete $round
		freeze_free_blocks t p
		volume t $((round + 100)) 16 new
		fill /dev/mapper/new 3$round
		discard_frozen p
		dmsetup message p 0 flush
		[ "$(status p guarded)" -ge 256 ]
		holds /dev/mapper/new 3$round
		holds /dev/mapper/kept 1
		deactivate new
		message t delete $((round + 100))
	done
	# And gives back what a deletion does not pass down.
	freeze_free_blocks t p
	discard_frozen p
	dmsetup message p 0 flush
	[ "$(used_kib)" -le $((16384 * 4 / 3 + 1024)) ]
	holds /dev/mapper/kept 1
	deactivate kept t p
	thin_check "$metadata"
	is_consistent "$md"
	stop_array
	end_sparse_disks
}

run_tests \
	what_is_written_during_a_discard_of_a_disk_lands_after_it \
	what_is_written_during_a_discard_of_a_raid5_lands_after_it \
	a_write_that_must_not_wait_is_sent_back \
	a_trim_of_a_live_pool_spares_what_was_written_since
