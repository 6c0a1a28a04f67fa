#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The target thin-passdown: what is freed is remembered and passed down in
# whole stripes; what was written since is not.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
needs dmsetup mdadm blkdiscard
needs_target delay flakey
needs_module

# Four disks that discard and then read as zeros; RAID5 in stripes of 192 KiB.
array() {
	mapfile -t members < <(scsi_disks 4 8)
	safe_raid5 te 64 "${members[@]}"
}

end_array() {
	mdadm --quiet --stop /dev/md/te
	modprobe -r scsi_debug
}

discards_are_held_and_flushed_in_whole_stripes() {
	local md
	md=$(array)
	passdown p "$md" stripe 384
	is p stripe 384
	is p unit 128
	is p mode held
	is p way discard
	fill /dev/mapper/p 1
	# From the midst of the first unit to the midst of the fifth stripe.
	discard /dev/mapper/p 4 $((4 * 192 + 100))
	is p free 12
	is p due 3
	holds /dev/mapper/p 1
	[ "$(dmsetup message p 0 flush)" = "3 0 0" ]
	is p passed 3
	is p due 0
	is p trimmed 9
	is p free 3
	is_zero /dev/mapper/p 192 576
	is_zero "$md" 192 576
	holds /dev/mapper/p 1 0 192
	holds /dev/mapper/p 1 768 8192
	# The rest of the first stripe.
	discard /dev/mapper/p 0 64
	is p due 1
	dmsetup message p 0 flush
	is_zero /dev/mapper/p 0 768
	deactivate p
	echo check >"/sys/block/$(basename "$md")/md/sync_action"
	mdadm --wait "$md" || true
	[ "$(cat "/sys/block/$(basename "$md")/md/mismatch_cnt")" -eq 0 ]
	end_array
}

a_write_takes_its_unit_back() {
	local md
	md=$(array)
	passdown p "$md" stripe 384
	fill /dev/mapper/p 1
	discard /dev/mapper/p 0 1920
	is p due 10
	# One sector of the fifth stripe, and a write over the border of the eighth.
	fill /dev/mapper/p 2 800 4
	fill /dev/mapper/p 3 1528 16
	is p due 7
	[ "$(dmsetup message p 0 flush)" = "7 0 0" ]
	holds /dev/mapper/p 2 800 4
	holds /dev/mapper/p 1 768 32
	holds /dev/mapper/p 3 1528 16
	is_zero /dev/mapper/p 0 768
	# And of trimmed ones: written, they are not trimmed any more.
	fill /dev/mapper/p 4 0 64
	is p trimmed 20
	discard /dev/mapper/p 0 64
	is p due 1
	holds /dev/mapper/p 4 0 64
	dmsetup message p 0 flush
	is_zero /dev/mapper/p 0 192
	deactivate p
	end_array
}

units_in_any_order_make_a_stripe_due() {
	local md unit
	md=$(array)
	passdown p "$md" stripe 384 auto
	is p mode auto
	fill /dev/mapper/p 1
	for unit in 5 0 3 4 1; do
		discard /dev/mapper/p $((unit * 64)) 64
	done
	wait_for 10 is p passed 1
	discard /dev/mapper/p 128 64
	wait_for 10 is p passed 2
	is_zero /dev/mapper/p 0 384
	holds /dev/mapper/p 1 384 4096
	deactivate p
	end_array
}

while_the_guard_is_on_what_was_written_stays() {
	local md
	md=$(array)
	passdown p "$md" stripe 384
	fill /dev/mapper/p 1
	message p guard_begin
	fails message p guard_begin
	is p guard guarded
	fill /dev/mapper/p 2 200 4
	discard /dev/mapper/p 0 960
	is p guarded 1
	is p due 4
	dmsetup message p 0 flush
	holds /dev/mapper/p 2 200 4
	holds /dev/mapper/p 1 192 8
	is_zero /dev/mapper/p 0 192
	is_zero /dev/mapper/p 384 576
	message p guard_end
	fails message p guard_end
	discard /dev/mapper/p 192 64
	is p due 1
	deactivate p
	end_array
}

# Another table for a while, whose writes no guard has seen: discards that are meant to be
# under the guard do nothing.
without_the_guard_no_guarded_discard_is_taken() {
	local md
	md=$(array)
	passdown p "$md" stripe 384
	fill /dev/mapper/p 1
	fails_with 'No such file' message p discard 0 384
	message p guard_begin
	fill /dev/mapper/p 2 200 4
	message p discard 0 1152
	is p guarded 1
	is p due 2
	is p discards 1
	for range in '0' '1 x' '-1 1' "$(size_of /dev/mapper/p) 1" '0 2097153'; do
		fails_with 'Invalid argument' message p discard $range
	done
	dmsetup reload p --table "0 $(size_of "$md") linear $md 0"
	dmsetup suspend p && dmsetup resume p
	fill /dev/mapper/p 3 384 192
	change p "$md" stripe 384
	fails_with 'No such file' message p discard 768 384
	is p free 0
	deactivate p
	end_array
}

another_table_of_the_same_geometry_keeps_what_is_known() {
	local md
	md=$(array)
	passdown p "$md" stripe 384
	fill /dev/mapper/p 1
	discard /dev/mapper/p 0 300
	is p free 4
	dmsetup suspend p
	dmsetup resume p
	is p free 4
	change p "$md" stripe 384 zero_fill
	is p free 4
	# `auto` finds what is due already.
	discard /dev/mapper/p 256 320
	is p due 3
	change p "$md" stripe 384 auto
	wait_for 10 is p passed 3
	change p "$md" stripe 384 unit 64
	is p trimmed 0
	is p free 0
	deactivate p
	end_array
}

# The discard takes its time; the write that comes meanwhile must land after it.
a_write_waits_for_a_discard_in_flight() {
	local md round
	md=$(array)
	dmsetup create slow --table "0 $(size_of "$md") delay $md 0 0 $md 0 150"
	later dmsetup remove --retry slow
	passdown p /dev/mapper/slow stripe 384
	is p way discard
	# Until it was in time often enough, on a machine however busy.
	for ((round = 0; round < 10 || ($(status p waited) < 3 && round < 50); round++)); do
		discard /dev/mapper/p 0 1920
		dmsetup message p 0 flush >"$TE_TMP/flushed" &
		sleep 0.0$((RANDOM % 9))
		fill /dev/mapper/p $round $((RANDOM % 1900 / 4 * 4)) 16
		fill /dev/mapper/p $((round + 100)) 960 8
		wait $!
		cat "$TE_TMP/flushed"
		holds /dev/mapper/p $((round + 100)) 960 8
	done
	dmsetup status p
	[ "$(status p waited)" -ge 3 ]
	deactivate p slow
	holds "$md" $((round + 99)) 960 8
	end_array
}

what_fails_stays_due_and_is_tried_again() {
	local disk
	disk=$(scsi_disks 1 8)
	dmsetup create below --table "0 16384 linear $disk 0"
	later dmsetup remove --retry below
	passdown p /dev/mapper/below stripe 384
	fill /dev/mapper/p 1
	discard /dev/mapper/p 0 1920
	dmsetup suspend --noflush below
	dmsetup reload below --table "0 16384 flakey $disk 0 0 100 1 error_writes"
	dmsetup resume below
	[ "$(dmsetup message p 0 flush | cut -d' ' -f1-2)" = "0 10" ]
	[ "$(status p errors)" -ge 1 ]
	is p free 30
	dmsetup suspend --noflush below
	dmsetup reload below --table "0 16384 linear $disk 0"
	dmsetup resume below
	[ "$(dmsetup message p 0 flush)" = "10 0 0" ]
	is_zero /dev/mapper/p 0 1920
	holds /dev/mapper/p 1 1920 4096
	deactivate p below
	modprobe -r scsi_debug
}

what_fails_is_tried_again_by_itself() {
	local disk
	disk=$(scsi_disks 1 8)
	dmsetup create below --table "0 16384 flakey $disk 0 0 100 1 error_writes"
	later dmsetup remove --retry below
	passdown p /dev/mapper/below stripe 384 auto
	discard /dev/mapper/p 0 1920
	wait_for 10 has_failed
	is p due 10
	dmsetup suspend --noflush below
	dmsetup reload below --table "0 16384 linear $disk 0"
	dmsetup resume below
	wait_for 50 is p passed 10 >/dev/null
	is p due 0
	deactivate p below
	modprobe -r scsi_debug
}
has_failed() { [ "$(status p errors)" -gt 0 ]; }

an_array_that_takes_no_discard_is_told_and_zeros_are_a_way() {
	local md
	mapfile -t members < <(scsi_disks 4 8)
	modprobe -q raid456 || true
	echo N >/sys/module/raid456/parameters/devices_handle_discard_safely
	md=$(raid5 te 64 "${members[@]}")
	[ "$(cat "/sys/block/$(basename "$md")/queue/discard_max_bytes")" -eq 0 ]
	passdown p "$md" stripe 384
	is p way none
	fill /dev/mapper/p 1
	discard /dev/mapper/p 0 1000
	is p due 5
	fails_with 'not supported' dmsetup message p 0 flush
	is p due 5
	holds /dev/mapper/p 1
	change p "$md" stripe 384 zero_fill
	is p way zeros
	[ "$(dmsetup message p 0 flush)" = "5 0 0" ]
	is_zero /dev/mapper/p 0 960
	holds /dev/mapper/p 1 960 8192
	deactivate p
	end_array
}

a_pool_on_it_keeps_its_passdown() {
	local md
	mapfile -t members < <(scsi_disks 4 16)
	modprobe -q raid456 || true
	echo N >/sys/module/raid456/parameters/devices_handle_discard_safely
	md=$(raid5 te 64 "${members[@]}")
	passdown p "$md" stripe 384
	pool t "$(disk 8)" /dev/mapper/p
	dmsetup status t | grep ' discard_passdown'
	volume t 0 16 v
	fill /dev/mapper/v 1
	discard /dev/mapper/v 0 8192
	wait_for 10 is p free 128
	deactivate v t p
	end_array
}

wrong_tables_are_refused() {
	local disk size
	disk=$(disk 32)
	size=$(size_of "$disk")
	refuse() { # refuse WORDS ARGUMENT...
		local words=$1
		shift
		dmesg -C
		fails dmsetup create bad --table "0 $size thin-passdown $*"
		dmesg | grep -F "$words"
	}
	refuse 'Not enough arguments' "$disk 0"
	refuse 'Invalid start' "$disk x 0"
	refuse 'Invalid number of features' "$disk 0 9"
	refuse 'Number of features does not match' "$disk 0 1 auto zero_fill"
	refuse 'Unknown feature' "$disk 0 1 automatic"
	refuse 'Invalid stripe' "$disk 0 2 stripe 4"
	refuse 'Invalid stripe' "$disk 0 1 stripe"
	refuse 'Invalid unit' "$disk 0 2 unit 99999999"
	refuse 'multiples of 4 KiB' "$disk 0 2 stripe 100"
	refuse 'not a multiple of the unit' "$disk 0 4 stripe 384 unit 256"
	refuse 'Cannot open the device' "/dev/nowhere 0 0"
	fails dmsetup create bad --table "0 $((size + 8)) thin-passdown $disk 0 0"
	dmsetup create good --table "0 $((size - 100)) thin-passdown $disk 100 2 stripe 384"
	later dmsetup remove --retry good
	dmsetup table good | grep '100 4 stripe 384 unit 128$'
	fails message good nonsense
	fails message good flush 0
	fails message good flush 1x
	fails message good flush 1 2
	deactivate good
}

run_tests \
	discards_are_held_and_flushed_in_whole_stripes \
	a_write_takes_its_unit_back \
	units_in_any_order_make_a_stripe_due \
	while_the_guard_is_on_what_was_written_stays \
	without_the_guard_no_guarded_discard_is_taken \
	another_table_of_the_same_geometry_keeps_what_is_known \
	a_write_waits_for_a_discard_in_flight \
	what_fails_stays_due_and_is_tried_again \
	what_fails_is_tried_again_by_itself \
	an_array_that_takes_no_discard_is_told_and_zeros_are_a_way \
	a_pool_on_it_keeps_its_passdown \
	wrong_tables_are_refused
