#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The root file system of the sender lies on a volume of the very pool it freezes:
# its program, its libraries, its lock, its record and its standard error.  It must
# not wait for itself.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
needs dmsetup mkfs.ext4 busybox thinexport
needs_target thin-pool

# A root file system that has just what the command needs.
make_root() { # make_root FOLDER
	local lib folder
	mkdir -p "$1"/{usr/bin,dev,proc,sys,run/thinexport,var/lib/thinexport,tmp}
	cp "$(type -P thinexport)" "$1/usr/bin/"
	LD_TRACE_LOADED_OBJECTS=1 "$(type -P thinexport)" |
		sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[ \t]*\(\/[^ ]*\) (.*/\1/p' >"$TE_TMP/libs"
	[ -s "$TE_TMP/libs" ]
	while read -r lib; do
		mkdir -p "$1/$(dirname "$lib")"
		cp "$(realpath "$lib")" "$1/$lib"
	done <"$TE_TMP/libs"
	for folder in dev proc sys; do
		mount --bind /$folder "$1/$folder"
		later umount "$1/$folder"
	done
}

the_window_does_not_wait_for_itself_20_times_under_load() {
	local root=$TE_TMP/root round writer
	pool p "$(disk 16)" "$(disk 512)"
	volume p 0 128 root
	volume p 1 64 v1
	volume p 2 64 v2
	mkfs.ext4 -q /dev/mapper/root
	mkdir "$root"
	mount /dev/mapper/root "$root"
	later umount "$root"
	make_root "$root"
	while [ ! -e "$TE_TMP/stop" ]; do
		head -c 300000 /dev/urandom >"$root/tmp/$((RANDOM % 50))"
		dd if=/dev/urandom of=/dev/mapper/v1 bs=64k count=4 seek=$((RANDOM % 900)) \
			oflag=direct conv=notrunc status=none
	done &
	writer=$!
	later kill $writer
	for ((round = 0; round < 20; round++)); do
		# What is in the page cache is no proof: the program comes from disk.
		sync -f "$root/tmp"
		echo 3 >/proc/sys/vm/drop_caches
		timeout $((60 * ${TE_SLOW:-1})) busybox chroot "$root" /usr/bin/thinexport send --direct \
			--volume root --volume v2 p >"$TE_TMP/stream" 2>"$root/tmp/said" ||
			{ cat "$root/tmp/said"; suspended; return 1; }
		grep -o 'stood still for .* ms' "$root/tmp/said"
		fails grep -q 'watchdog\|late' "$root/tmp/said"
	done
	touch "$TE_TMP/stop"
	wait $writer
	nothing_is_left p
	[ -z "$(ls "$root/var/lib/thinexport")" ]
	thinexport verify "$TE_TMP/stream"
}

run_tests the_window_does_not_wait_for_itself_20_times_under_load
