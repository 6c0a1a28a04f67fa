#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As live_root.sh, with a pool of LVM's, which the command asks and locks from that root;
# 50 times, or TE_ROUNDS.  Tells the longest window, and the longest write meanwhile to
# another of the pool's volumes.
# timeout: 1800
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../live.bash"
. "$(dirname "$0")/../lvm.bash"
. "$(dirname "$0")/../root.bash"
needs lvm mkfs.ext4 busybox thinexport
needs_target thin-pool linear

the_window_does_not_wait_for_itself_nor_for_lvm() {
	local root=$TE_TMP/root round
	group v-g "$(disk 600)"
	lvm_pool v-g/my-pool 512
	lvm_volume v-g/my-pool root 128
	lvm_volume v-g/my-pool web 32
	lvm_snapshot v-g/web web-snap
	mkfs.ext4 -q /dev/v-g/root
	mkdir "$root"
	mount /dev/v-g/root "$root"
	later umount "$root"
	make_root "$root" thinexport lvm
	write_always "$root" /dev/v-g/web
	for ((round = 0; round < ${TE_ROUNDS:-50}; round++)); do
		send_from "$root" v-g/my-pool
	done
	end_writing
	echo "longest of $round windows: $(grep -o '[0-9.]*' "$TE_TMP/windows" | sort -n | tail -1) ms;" \
		"longest write: $(($(cat "$TE_TMP/longest") / 1000)) ms" >"$TE_TMP/results"
	nothing_is_left v--g-my--pool-tpool
	[ -z "$(ls "$root/var/lib/thinexport")" ]
	thinexport verify "$TE_TMP/stream"
	[ "$(names "$TE_TMP/stream")" = "root web web-snap " ]
	umount "$root"/{dev,proc,sys} "$root"
	e2fsck -fn /dev/v-g/root
}

trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests the_window_does_not_wait_for_itself_nor_for_lvm
