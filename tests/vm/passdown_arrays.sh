#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# thin-passdown over every kind of array, and what becomes of freed space when the
# array is degraded, rebuilt, read-only, broken, or larger than before.
# timeout: 300
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
needs dmsetup mdadm blkdiscard thinexport
needs_target delay
needs_module

# gives_back DEVICE STRIPE_UNITS DISKS: what is discarded unit by unit, in no order, gives
# back room on the disks as soon as it makes whole stripes.
gives_back() {
	local device=$1 units=$2 disks=$3 before unit stripes
	passdown p "$device"
	is p unit 128
	is p stripe $((units * 128))
	fill /dev/mapper/p 1 0 2048
	before=$(used_kib)
	for unit in $(shuf -i 1-$((units * 4))); do
		discard /dev/mapper/p $((unit * 64)) 64
	done
	# The first stripe lacks its first unit; of the fifth there is but one.
	stripes=$((units == 1 ? 4 : 3))
	is p due $stripes
	[ "$(dmsetup message p 0 flush)" = "$stripes 0 0" ]
	[ $((before - $(used_kib))) -eq $((stripes * 64 * disks)) ]
	is_zero /dev/mapper/p $((units * 64)) $((units * 192))
	holds /dev/mapper/p 1 0 64
	holds /dev/mapper/p 1 $((units * 256 + 64)) 512
	deactivate p
}

# level_gives_back LEVEL DISKS STRIPE_UNITS [DISKS_OF_STRIPE]
level_gives_back() {
	local md
	echo "RAID $1"
	sparse_disks "$2" 8
	md=$(md_array "$1" 64 "${sparse_disks[@]}")
	gives_back "$md" "$3" "${4:-$2}"
	case $1 in [1-9]*) is_consistent "$md" ;; esac
	stop_array
	end_sparse_disks
}

every_level_gives_back_whole_stripes() {
	# Not in newer kernels.
	! modprobe -q linear || level_gives_back linear 2 1 1
	level_gives_back 0 3 3
	level_gives_back 1 2 1
	level_gives_back 10 4 2
	level_gives_back 4 4 3
	level_gives_back 5 3 2
	level_gives_back 6 5 3
}

a_disk_and_two_in_a_row_give_back_every_unit() {
	local size
	sparse_disks 1 8
	gives_back "${sparse_disks[0]}" 1 1
	end_sparse_disks
	sparse_disks 2 8
	size=$(size_of "${sparse_disks[0]}")
	dmsetup create row <<-EOF
		0 $size linear ${sparse_disks[0]} 0
		$size $size linear ${sparse_disks[1]} 0
	EOF
	later dmsetup remove --retry row
	gives_back /dev/mapper/row 1 1
	deactivate row
	end_sparse_disks
}

# Of three disks and a spare one, in stripes of 128 KiB, freed from the second to the
# eleventh.
freed_array() {
	sparse_disks 4 8
	md=$(md_array 5 64 "${sparse_disks[@]:0:3}")
	passdown p "$md"
	fill /dev/mapper/p 1 0 4096
	discard /dev/mapper/p 128 1280
	is p due 10
}
end_freed_array() {
	holds /dev/mapper/p 1 0 128
	holds /dev/mapper/p 1 1408 2688
	deactivate p
	is_consistent "$md"
	stop_array
	end_sparse_disks
}

a_degraded_array_goes_on() {
	local md
	freed_array
	mdadm --quiet "$md" --fail "${sparse_disks[1]}" --remove "${sparse_disks[1]}"
	[ "$(dmsetup message p 0 flush)" = "10 0 0" ]
	is_zero /dev/mapper/p 128 1280
	mdadm --quiet "$md" --add "${sparse_disks[3]}"
	wait_for 60 is_idle "$md"
	[ "$(state_of "$md" degraded)" -eq 0 ]
	is_zero /dev/mapper/p 128 1280
	end_freed_array
}

an_array_that_is_being_rebuilt_goes_on() {
	local md
	freed_array
	state_of "$md" sync_speed_max 500
	mdadm --quiet "$md" --fail "${sparse_disks[1]}" --remove "${sparse_disks[1]}" \
		--add "${sparse_disks[3]}"
	wait_for 20 is_recovering "$md"
	[ "$(dmsetup message p 0 flush)" = "10 0 0" ]
	fill /dev/mapper/p 2 256 64
	[ "$(state_of "$md" sync_action)" = recover ]
	state_of "$md" sync_speed_max system
	wait_for 60 is_idle "$md"
	is_zero /dev/mapper/p 128 128
	holds /dev/mapper/p 2 256 64
	is_zero /dev/mapper/p 320 1088
	end_freed_array
}
is_recovering() { [ "$(state_of "$1" sync_action)" = recover ]; }

# md makes an array read-only while nobody has it open.
what_a_read_only_array_refuses_stays_due() {
	local md size
	sparse_disks 3 8
	md=$(md_array 5 64 "${sparse_disks[@]}")
	size=$(size_of "$md")
	dmsetup create below --table "0 $size linear $md 0"
	later dmsetup remove --retry below
	passdown p /dev/mapper/below stripe 256
	fill /dev/mapper/p 1 0 4096
	discard /dev/mapper/p 0 1280
	change_below "0 $size error"
	mdadm --quiet --readonly "$md"
	change_below "0 $size linear $md 0"
	[ "$(dmsetup message p 0 flush | cut -d' ' -f1-2)" = "0 10" ]
	[ "$(status p errors)" -ge 1 ]
	holds /dev/mapper/p 1 0 4096
	mdadm --quiet --readwrite "$md"
	[ "$(dmsetup message p 0 flush)" = "10 0 0" ]
	is_zero /dev/mapper/p 0 1280
	holds /dev/mapper/p 1 1280 2816
	deactivate p below
	is_consistent "$md"
	stop_array
	end_sparse_disks
}
change_below() { # change_below TABLE
	dmsetup suspend --noflush below
	dmsetup reload below --table "$1"
	dmsetup resume below
}

what_a_broken_array_loses_is_counted() {
	local md errors
	freed_array
	mdadm --quiet "$md" --fail "${sparse_disks[0]}" --fail "${sparse_disks[1]}" || true
	[ "$(dmsetup message p 0 flush | cut -d' ' -f1-2)" = "0 10" ]
	errors=$(status p errors)
	[ "$errors" -ge 1 ]
	is p free 20
	dmsetup reload p --table "$(passdown_table "$md" auto)"
	dmsetup suspend p
	dmsetup resume p
	# Once now, and again later.
	wait_for 10 has_more_errors "$errors"
	is p due 10
	deactivate p
	stop_array
	end_sparse_disks
}
has_more_errors() { [ "$(status p errors)" -gt "$1" ]; }

# A pass is held: the suspension waits for it, and so does a write.
suspension_and_removal_wait_for_passes() {
	local below writer flusher suspender
	below=$(disk 16)
	slow_discards "$below" 0
	passdown p /dev/nbd0 stripe 384
	fill /dev/mapper/p 1 0 8192
	discard /dev/mapper/p 0 1920
	hold_discards
	dmsetup message p 0 flush >"$TE_TMP/flushed" &
	flusher=$!
	wait_for 20 a_discard_is_held
	fill /dev/mapper/p 2 384 64 &
	writer=$!
	wait_for 20 has_waited 1
	dmsetup suspend p &
	suspender=$!
	sleep 0.5
	kill -0 $suspender
	release_discards
	wait $suspender
	is p passed 10
	fails_with 'temporarily unavailable' dmsetup message p 0 flush
	dmsetup resume p
	wait $writer
	wait $flusher
	[ "$(cat "$TE_TMP/flushed")" = "10 0 0" ]
	is p trimmed 29
	holds /dev/mapper/p 2 384 64
	# Due stripes that nobody passes down are forgotten, and keep their contents.
	discard /dev/mapper/p 3840 384
	is p due 2
	hold_discards
	dmsetup message p 0 flush 1 >"$TE_TMP/flushed" &
	flusher=$!
	wait_for 20 a_discard_is_held
	dmsetup remove p &
	sleep 0.5
	release_discards
	wait $! $flusher
	passdown p /dev/nbd0 stripe 384
	is p free 0
	is_zero /dev/mapper/p 3840 192
	holds /dev/mapper/p 1 4032 4096
	deactivate p
	end_slow_discards
}

a_device_that_has_grown_starts_anew() {
	local below
	below=$(disk 32)
	dmsetup create below --table "0 32768 linear $below 0"
	later dmsetup remove --retry below
	passdown p /dev/mapper/below stripe 384
	fill /dev/mapper/p 1 14336 2048
	discard /dev/mapper/p 0 1920
	dmsetup reload below --table "0 65536 linear $below 0"
	dmsetup suspend below
	dmsetup resume below
	dmsetup reload p --table "$(passdown_table /dev/mapper/below stripe 384)"
	dmsetup suspend p
	dmsetup resume p
	[ "$(size_of /dev/mapper/p)" -eq 65536 ]
	is p free 0
	holds /dev/mapper/p 1 14336 2048
	fill /dev/mapper/p 1 16384 4096
	discard /dev/mapper/p 16320 1920
	[ "$(dmsetup message p 0 flush)" = "10 0 0" ]
	holds /dev/mapper/p 1 14336 1984
	is_zero /dev/mapper/p 16320 1920
	holds /dev/mapper/p 1 18240 2240
	deactivate p below
}

# Stripes are the array's, wherever a partition of it begins.
a_partition_of_an_array_has_the_array_s_stripes() {
	local md before
	sparse_disks 4 8
	md=$(md_array 5 64 "${sparse_disks[@]}")
	# One partition, from sector 2048 on, in a table of DOS.
	{
		head -c 450 /dev/zero
		printf '\x83\0\0\0\0\x08\0\0\0\x40\0\0'
		head -c 48 /dev/zero
		printf '\x55\xaa'
	} | dd of="$md" conv=fsync status=none
	blockdev --rereadpt "$md"
	wait_for 10 test -b "${md}p1"
	thinexport passdown create --once "${md}p1" p
	later dmsetup remove --retry p
	is p stripe 384
	fill /dev/mapper/p 1 0 4096
	before=$(used_kib)
	discard /dev/mapper/p 0 1920
	# The sixth stripe of the array begins in its 1152nd KiB, 128 KiB in the partition.
	is p due 9
	[ "$(dmsetup message p 0 flush)" = "9 0 0" ]
	[ $((before - $(used_kib))) -eq $((9 * 256)) ]
	holds /dev/mapper/p 1 0 128
	is_zero /dev/mapper/p 128 1728
	holds /dev/mapper/p 1 1856 2048
	deactivate p
	blockdev --rereadpt "$md" || true
	stop_array
	end_sparse_disks
}

units_of_any_size_are_discarded_whole() {
	passdown p "$(disk 16)" stripe 768 unit 384
	discard /dev/mapper/p 0 3840
	is p free 20
	is p due 10
	deactivate p
}

zeros_are_written_through_where_the_disk_does_so() {
	local disk name
	disk=$(scsi_disks 1 16)
	passdown p "$disk" stripe 384
	name=$(dmsetup info -c --noheadings -o blkdevname p)
	[ "$(cat "/sys/block/$name/queue/write_zeroes_max_bytes")" -gt 0 ]
	fill /dev/mapper/p 1 0 4096
	discard /dev/mapper/p 0 1920
	is p due 10
	blkdiscard -z -o $((200 << 10)) -l $((4 << 10)) /dev/mapper/p
	is p due 9
	is_zero /dev/mapper/p 200 4
	deactivate p
	modprobe -r scsi_debug
}

# Zeros where discards are refused: in whole stripes, so that md seldom reads for them.  Of
# each disk there are 1280 blocks of 4 KiB.
zeros_for_whole_stripes_are_written_without_reading() {
	local md before
	sparse_disks 4 16
	modprobe -q raid456 || true
	echo N >/sys/module/raid456/parameters/devices_handle_discard_safely
	md=$(raid5 te 512 "${sparse_disks[@]}")
	passdown p "$md" zero_fill
	is p way zeros
	fill /dev/mapper/p 1 0 16384
	discard /dev/mapper/p 0 15360
	is p due 10
	before=$(reads_of_disks)
	[ "$(dmsetup message p 0 flush)" = "10 0 0" ]
	echo "$(($(reads_of_disks) - before)) reads"
	[ $(($(reads_of_disks) - before)) -lt 40 ]
	is_zero /dev/mapper/p 0 15360
	holds /dev/mapper/p 1 15360 1024
	deactivate p
	is_consistent "$md"
	stop_array
	end_sparse_disks
}
reads_of_disks() {
	local disk
	for disk in "${sparse_disks[@]}"; do cat "/sys/block/${disk##*/}/stat"; done |
		awk '{ reads += $1 } END { print reads }'
}

# The other one has its own stripes, and does not know what was written before.
a_guard_goes_on_in_another_geometry() {
	passdown p "$(disk 16)" stripe 384
	message p guard_begin
	fill /dev/mapper/p 1 0 64
	dmsetup reload p --table "$(dmsetup table p | sed 's/stripe 384/stripe 768/')"
	dmsetup suspend p
	dmsetup resume p
	is p stripe 768
	is p guard guarded
	discard /dev/mapper/p 0 1920
	is p free 0
	is p guarded 30
	fails message p guard_begin
	message p guard_end
	is p guard -
	discard /dev/mapper/p 0 1920
	is p due 5
	deactivate p
}

run_tests \
	every_level_gives_back_whole_stripes \
	a_disk_and_two_in_a_row_give_back_every_unit \
	a_degraded_array_goes_on \
	an_array_that_is_being_rebuilt_goes_on \
	what_a_read_only_array_refuses_stays_due \
	what_a_broken_array_loses_is_counted \
	suspension_and_removal_wait_for_passes \
	a_device_that_has_grown_starts_anew \
	a_partition_of_an_array_has_the_array_s_stripes \
	units_of_any_size_are_discarded_whole \
	zeros_are_written_through_where_the_disk_does_so \
	zeros_for_whole_stripes_are_written_without_reading \
	a_guard_goes_on_in_another_geometry
