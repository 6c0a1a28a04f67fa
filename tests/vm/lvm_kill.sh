#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Death at any moment of a send from LVM's pool, and of a receive into a volume group:
# kill -9 of either at random points, by turns of one that has begun and does not end, and
# of a whole run; then `cleanup`, which touches nothing else.
# kernel: 6.12
# timeout: 400
#
# TE_POINTS: how often each of them is killed (3).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/lvm.bash"
needs lvm thin_check thinexport
needs_target thin-pool linear

points=${TE_POINTS:-3}

# A pool, its stream, and a group that it can go to.  In the latter, what looks like
# leftovers but is none: names and tags that are nearly ours, and our tag on a volume
# that no receive has made.  Beside the former, a device and a volume of the pool that
# could be a sender's, but of which there is no record.
begin() {
	! vgs new >/dev/null 2>&1 || return 0
	group v-g "$(disk 120)"
	lvm_pool v-g/my-pool 64
	lvm_volume v-g/my-pool web 32
	lvm_volume v-g/my-pool db-1 16
	fill /dev/v-g/web 1 0 8192
	fill /dev/v-g/db-1 2 0 4096
	lvm_snapshot v-g/web web-snap
	thinexport send v-g/my-pool >"$TE_TMP/stream"
	message v--g-my--pool-tpool create_thin 16777215
	dmsetup create thinexport-1-pin-0 --table '0 8 error'
	later dmsetup remove thinexport-1-pin-0
	group new "$(disk 200)"
	lvcreate -q -y -Wn -L 4M -n my-pool2.thinexport-data new
	lvcreate -q -y -Wn -L 4M -n my-pool.thinexport --addtag thinexport.receiving2 new
	lvcreate -q -y -Wn -L 4M -n thick --addtag thinexport.receiving new
	lvm_pool new/other 8 --addtag thinexport --addtag thinexport-receiving
	lvm_volume new/other one 8
	fill /dev/new/one 3 0 1024
	fill /dev/new/my-pool2.thinexport-data 4
	fill /dev/new/my-pool.thinexport 5
	fill /dev/new/thick 6
	thinexport cleanup 2>&1 | grep 'nothing to clean up'
}

everything() { # everything GROUP
	lvs -a --noheadings -o lv_name,lv_uuid,lv_attr,lv_tags,lv_size,seg_pe_ranges "$1"
	vgs --noheadings -o vg_free_count "$1"
	dmsetup ls | cut -f1 | sort
	find /run/thinexport /var/lib/thinexport -type f ! -name '*.lock' 2>/dev/null
}

# killed BEGUN COMMAND...: a random part of $most ms after that.  It may be done by then; the
# next are killed earlier.
killed() {
	local after=$((RANDOM * most / 32767)) status=0
	killed_after $after "$@" 2>"$TE_TMP/killed" || status=$?
	echo "killed $after ms of $most after $1: status $status" >&2
	[ $status -ne 0 ] || most=$((most * 9 / 10))
}
ms_of() { # ms_of COMMAND...: how long it takes
	local start
	start=$(date +%s%N)
	"$@" >/dev/null || return
	echo $((($(date +%s%N) - start) / 1000000))
}

# The first says all that the second does.
cleaned() {
	thinexport cleanup -n >"$TE_TMP/would" 2>"$TE_TMP/said" || { cat "$TE_TMP/said"; return 1; }
	thinexport cleanup 2>"$TE_TMP/did" || { cat "$TE_TMP/did"; return 1; }
	cat "$TE_TMP/would"
	[ "$(grep -c '^would ' "$TE_TMP/would")" -eq "$(grep -cE ': (remove|delete|release|resume)' "$TE_TMP/did")" ] ||
		{ cat "$TE_TMP/did"; return 1; }
}

# It may have been whole just before, or become so when LVM's last command was under way.
whole() {
	lvs new/my-pool >/dev/null 2>&1 || return 0
	fails grep thinexport <(lvs --noheadings -o lv_tags new/my-pool)
	holds /dev/new/web 1 0 8192
	holds /dev/new/db-1 2 0 4096
	lvremove -q -y new/my-pool
}

# The stream does not end, so something is left.
killed_while_it_waits() {
	local feeder
	open_pipe
	head -c -100 "$TE_TMP/stream" >"$TE_TMP/pipe" 8>&- &
	feeder=$!
	killed has_begun thinexport receive new/my-pool <"$TE_TMP/pipe" 8>&-
	kill $feeder 2>/dev/null || true
	exec 8>&-
}
has_begun() { [ -e /dev/new/my-pool.thinexport-data ]; }

a_receive_that_is_killed_leaves_nothing_that_cleanup_does_not_find() {
	local point most left=0
	begin
	everything new >"$TE_TMP/before"
	most=$(ms_of thinexport receive -i "$TE_TMP/stream" new/my-pool)
	lvremove -q -y new/my-pool
	for ((point = 0; point < points; point++)); do
		if [ $((point % 2)) -eq 0 ]; then
			killed_while_it_waits
		else
			killed true thinexport receive -i "$TE_TMP/stream" new/my-pool
		fi
		cleaned
		whole
		! grep -q '^would remove new/my-pool' "$TE_TMP/would" || left=$((left + 1))
		everything new >"$TE_TMP/now"
		diff "$TE_TMP/before" "$TE_TMP/now"
	done
	thinexport cleanup 2>&1 | grep 'nothing to clean up'
	vgck new
	holds /dev/new/one 3 0 1024
	holds /dev/new/my-pool2.thinexport-data 4
	holds /dev/new/my-pool.thinexport 5
	holds /dev/new/thick 6
	echo "$left of $points had left something"
	[ $left -ge $(((points + 1) / 2)) ]
}

a_sender_that_is_killed_leaves_nothing_that_cleanup_does_not_find() {
	local point most left=0
	begin
	load_module 2>/dev/null || true
	everything v-g >"$TE_TMP/before"
	most=$(ms_of thinexport send v-g/my-pool)
	for ((point = 0; point < points; point++)); do
		if [ $((point % 2)) -eq 0 ]; then
			open_pipe
			killed is_recorded thinexport send --codec none v-g/my-pool >"$TE_TMP/pipe" 8>&-
			exec 8>&-
		else
			killed true thinexport send v-g/my-pool >/dev/null
		fi
		wait_for 60 none_is_suspended
		! is_recorded || left=$((left + 1))
		cleaned
		nothing_is_left v--g-my--pool-tpool
		everything v-g >"$TE_TMP/now"
		diff "$TE_TMP/before" "$TE_TMP/now"
	done
	echo "$left of $points had left something"
	[ $left -ge $(((points + 1) / 2)) ]
	thinexport cleanup 2>&1 | grep 'nothing to clean up'
	holds /dev/v-g/web 1 0 8192
	vgchange -q -an v-g
	lvchange -q -ay -y v-g/my-pool_tmeta
	thin_check /dev/v-g/my-pool_tmeta
	has_only /dev/v-g/my-pool_tmeta 1 2 3 16777215
	lvchange -q -an v-g/my-pool_tmeta
}

run_tests \
	a_receive_that_is_killed_leaves_nothing_that_cleanup_does_not_find \
	a_sender_that_is_killed_leaves_nothing_that_cleanup_does_not_find
