#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The frozen moment: all volumes at one time, file systems clean, and its length
# told.  What the moment holds is seen through the pins, while the sender waits
# for a reader that does not come.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
needs dmsetup e2fsck jq thinexport
needs_target thin-pool delay

# Sequence numbers, to volume 0 and then to volume 1, until the file is there.
write_pairs() { # write_pairs UNTIL
	local number=0
	until [ -e "$1" ]; do
		number=$((number + 1))
		printf '%-512d' $number | dd of=/dev/mapper/v0 bs=512 oflag=direct status=none
		printf '%-512d' $number | dd of=/dev/mapper/v1 bs=512 oflag=direct status=none
	done
}

number_of() { # number_of DEVICE
	dd if="$1" bs=512 count=1 iflag=direct status=none | tr -d ' \0'
}

# Each snapshot costs a slow commit, so two that were not of one moment would be
# many writes apart.
pairs_of_two_volumes_are_consistent_25_times_of_25() {
	local round first second last=0 writer
	slow_pool p 20 128
	volume p 0 16 v0
	volume p 1 16 v1
	fill /dev/mapper/v0 1
	fill /dev/mapper/v1 2
	write_pairs "$TE_TMP/stop" &
	writer=$!
	later kill $writer
	wait_for 10 holds_a_number v1
	for ((round = 1; round <= 25; round++)); do
		hold_sender --direct p
		first=$(number_of "$(pin 0)")
		second=$(number_of "$(pin 1)")
		end_sender
		echo "round $round: $first $second"
		[ "$first" -eq "$second" ] || [ "$first" -eq $((second + 1)) ]
		[ "$second" -gt "$last" ]
		last=$second
	done
	touch "$TE_TMP/stop"
	wait $writer
	nothing_is_left p
	deactivate v0 v1 p
}
holds_a_number() { [[ $(number_of "/dev/mapper/$1") =~ ^[0-9]+$ ]]; }

a_mounted_file_system_is_frozen_clean() {
	local mount=$TE_TMP/mount writer
	pool p "$(disk 16)" "$(disk 512)"
	volume p 0 128 v0
	volume p 1 64 other
	mkfs.ext4 -q /dev/mapper/v0
	mkdir "$mount"
	mount /dev/mapper/v0 "$mount"
	later umount "$mount"
	rm -f "$TE_TMP/stop"
	while [ ! -e "$TE_TMP/stop" ]; do
		cp -r /usr/sbin/dmsetup "$mount/$RANDOM"
		mkdir -p "$mount/d$RANDOM/$RANDOM"
		rm -f "$mount"/1*
	done &
	writer=$!
	later kill $writer
	sleep 2
	hold_sender --direct p
	# Without its journal replayed: there is nothing in it.
	dumpe2fs -h "$(pin 0)" >"$TE_TMP/super" 2>&1
	fails grep -q needs_recovery "$TE_TMP/super"
	e2fsck -fn "$(pin 0)"
	end_sender
	touch "$TE_TMP/stop"
	wait $writer
	nothing_is_left p
	umount "$mount"
	e2fsck -fn /dev/mapper/v0
	deactivate v0 other p
}

without_freezing_the_file_system_would_not_be_clean() {
	local mount=$TE_TMP/mount2
	pool p "$(disk 16)" "$(disk 512)"
	volume p 0 128 v0
	mkfs.ext4 -q /dev/mapper/v0
	mkdir "$mount"
	mount /dev/mapper/v0 "$mount"
	later umount "$mount"
	cp /usr/sbin/dmsetup "$mount/"
	sync -f "$mount"
	snapshot p 1 0
	activate p 1 128 s1 --readonly
	dumpe2fs -h /dev/mapper/s1 2>&1 | grep needs_recovery
	umount "$mount"
	deactivate s1 v0 p
}

the_length_of_the_window_is_told() {
	small_pool p
	thinexport send --direct -o "$TE_TMP/stream" p 2>"$TE_TMP/said"
	cat "$TE_TMP/said"
	grep -qE 'stood still for [0-9]+\.[0-9] ms' "$TE_TMP/said"
	nothing_is_left p
	deactivate v0 v1 p
}

# Name, I/O class and niceness of each thread of a sender and its watchdog.
priorities() {
	local thread name stat
	for thread in /proc/[0-9]*/task/*; do
		{ read -r name <"$thread/comm" && [[ $name = thinexport* ]] &&
			read -ra stat <"$thread/stat"; } 2>/dev/null || continue
		echo "$name: $(ionice -p "${thread##*/}"), nice ${stat[18]}"
	done
}
the_watchdog_is_there() { grep -qs '^thinexport-dog' /proc/[0-9]*/comm; }

# The window's priorities, while it waits for what the pool writes.
look_into_the_window() {
	wait_for 60 the_watchdog_is_there
	dmsetup suspend --noflush w-slow
	priorities >"$TE_TMP/inside"
	the_watchdog_is_there || : >"$TE_TMP/inside"
	dmsetup resume w-slow
}

# What the pool writes meanwhile is written in the sender's name, and a disk may let
# class idle wait for as long as the window may last.
in_the_window_a_sender_of_low_priority_has_a_high_one() {
	local mount=$TE_TMP/mount3 sampler
	slow_pool w 100 128
	volume w 0 32 v0
	mkfs.ext4 -q /dev/mapper/v0
	mkdir "$mount"
	mount /dev/mapper/v0 "$mount"
	later umount "$mount"
	dd if=/dev/zero of="$mount/file" bs=1M count=4 status=none
	look_into_the_window &
	sampler=$!
	ionice -c3 -p $BASHPID
	busybox renice 19 $BASHPID
	hold_sender --direct w
	wait $sampler
	priorities >"$TE_TMP/after"
	head "$TE_TMP/inside" "$TE_TMP/after"
	# The one that freezes the file system may be through already.
	grep '^thinexport:' "$TE_TMP/inside"
	grep '^thinexport-dog:' "$TE_TMP/inside"
	fails grep -v ': best-effort: prio 0, nice 0$' "$TE_TMP/inside"
	grep -q '^thinexport: idle.*, nice 19$' "$TE_TMP/after"
	fails grep -v ': idle.*, nice 19$' "$TE_TMP/after"
	end_sender
	umount "$mount"
	deactivate v0 w w-slow
}

with_module_and_without_the_stream_is_the_same() {
	needs_module
	small_pool p
	message p create_thin 2
	for reader in '' --direct; do
		thinexport send --stream-id 00112233445566778899aabbccddeeff $reader \
			-o "$TE_TMP/same$reader" p
	done
	cmp "$TE_TMP/same" "$TE_TMP/same--direct"
	nothing_is_left p
	deactivate v0 v1 p
}

a_live_pool_is_listed_and_compared_with() {
	small_pool p
	thinexport info --json p >"$TE_TMP/info"
	[ "$(jq '.volumes | length' "$TE_TMP/info")" -eq 2 ]
	nothing_is_left p
	thinexport send --direct -o "$TE_TMP/sent" p
	thinexport verify --against p "$TE_TMP/sent"
	nothing_is_left p
	fill /dev/mapper/v1 3 4096 64
	fails thinexport verify --against p "$TE_TMP/sent"
	nothing_is_left p
	deactivate v0 v1 p
}

a_command_of_lvm_is_waited_for() {
	local lock sender
	needs_program lvm flock
	vgcreate -qq te_group "$(disk 256)"
	later vgremove -qq -ff -y te_group
	lvcreate -qq -y -Wn -L 64M -T te_group/pool
	lvcreate -qq -y -Wn -V 32M -T te_group/pool -n volume
	mkdir -p /run/lock/lvm
	# Its lock is that process's alone.
	(flock 9 && exec sleep 100) 9>>/run/lock/lvm/V_te_group &
	lock=$!
	later kill $lock
	wait_for 5 fails flock -n /run/lock/lvm/V_te_group true
	thinexport send --direct -o "$TE_TMP/lvm" te_group-pool-tpool &
	sender=$!
	# Long enough for one that did not wait.
	sleep 3
	kill -0 $sender
	[ -z "$(ls $te_records)" ]
	kill $lock
	wait $sender
	# And LVM goes on with its pool as if nothing had been.
	lvcreate -qq -y -s -n snap te_group/volume
	vgremove -qq -ff -y te_group
}
needs_program() { local p; for p; do type -P "$p" >/dev/null || skip "$p is not installed"; done; }

run_tests \
	a_command_of_lvm_is_waited_for \
	pairs_of_two_volumes_are_consistent_25_times_of_25 \
	a_mounted_file_system_is_frozen_clean \
	without_freezing_the_file_system_would_not_be_clean \
	the_length_of_the_window_is_told \
	in_the_window_a_sender_of_low_priority_has_a_high_one \
	with_module_and_without_the_stream_is_the_same \
	a_live_pool_is_listed_and_compared_with
