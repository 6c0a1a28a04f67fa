#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A walk that would take long ends when the loading process is killed.
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/view.bash"
needs dmsetup
needs_target thin-pool delay
needs_module

metadata=$(disk 4) && data=$(disk 32) || exit 1
volumes=30
delay_ms=1000

# Each volume's root is a block of its own: a second a volume.
slow_pool() {
	local id
	pool p "$metadata" "$data" || return
	for ((id = 0; id < volumes; id++)); do
		message p create_thin $id || return
	done
	deactivate p || return
	dmsetup create slow --table "0 $((4 * 2048)) delay $metadata 0 $delay_ms" || return
	later dmsetup remove --retry slow
}

arguments() {
	local id
	printf '1 superblock_root %d' $volumes
	for ((id = 0; id < volumes; id++)); do printf ' %d -' $id; done
}

has_ended() { ! kill -0 "$1" 2>/dev/null; }

a_killed_load_ends_at_once_and_says_so() {
	local pid
	slow_pool
	dmsetup create view --notable --readonly
	later dmsetup remove --retry view
	dmsetup load view --readonly --table \
		"0 1048576 thinexport /dev/mapper/slow $data $(arguments)" &
	pid=$!
	sleep 8
	kill -0 $pid
	kill -KILL $pid
	wait_for 4 has_ended $pid
	dmesg | tail -n 3 | grep ': Interrupted by a signal'
}

nothing_of_it_stays_open() {
	deactivate view slow
	rmmod dm_thinexport
	load_module
}

the_same_view_loads_when_left_alone() {
	view view "$(arguments)"
	[ "$(status_field view 6)" -eq $volumes ]
	deactivate view
}

run_tests \
	a_killed_load_ends_at_once_and_says_so \
	nothing_of_it_stays_open \
	the_same_view_loads_when_left_alone
