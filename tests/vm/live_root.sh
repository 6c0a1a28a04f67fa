#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The root file system of the sender lies on a volume of the very pool it freezes.
# It must not wait for itself.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/root.bash"
needs dmsetup mkfs.ext4 busybox thinexport
needs_target thin-pool

the_window_does_not_wait_for_itself_10_times_under_load() {
	local root=$TE_TMP/root round
	pool p "$(disk 16)" "$(disk 512)"
	volume p 0 128 root
	volume p 1 64 v1
	volume p 2 64 v2
	mkfs.ext4 -q /dev/mapper/root
	mkdir "$root"
	mount /dev/mapper/root "$root"
	later umount "$root"
	make_root "$root" thinexport
	write_always "$root" /dev/mapper/v1
	for ((round = 0; round < 10; round++)); do
		send_from "$root" --direct --volume root --volume v2 p
	done
	end_writing
	nothing_is_left p
	[ -z "$(ls "$root/var/lib/thinexport")" ]
	thinexport verify "$TE_TMP/stream"
}

run_tests the_window_does_not_wait_for_itself_10_times_under_load
