#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Death at any moment: kill -9 of a sender, under load, in its window and behind it,
# TE_POINTS (15) times; then `cleanup`.  And a sender that is stopped in its window, whom
# the watchdog must overtake.
# timeout: 1200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/load.bash"
needs dmsetup fio thin_check thin_ls thinexport
needs_target thin-pool delay

# By turns as soon as something stands still, some time after its record is there, and at
# any time.  A stream that nobody takes never ends, so that the first two always leave
# something.
kill_in_turn() { # kill_in_turn ROUND
	local kind=$(($1 % 3)) ms=0 begun=any_is_suspended output=$TE_TMP/pipe
	case $kind in
	1) ms=$((RANDOM % 1000)) begun=is_recorded ;;
	2) ms=$((RANDOM % 2000)) begun=true output=/dev/null ;;
	esac
	open_pipe
	killed_after $ms $begun thinexport send --codec none p >"$output" 2>"$TE_TMP/sender" 8>&- || true
	exec 8>&-
	wait_for 20 none_is_suspended
	[ $kind -eq 2 ] || is_recorded || { cat "$TE_TMP/sender"; return 1; }
}

killed_at_any_moment_and_cleaned_up_nothing_is_left() {
	local round load in_window=0 cleaned=0 rounds=${TE_POINTS:-15}
	load_module 2>/dev/null || true
	slow_pool p 20 256
	volume p 0 16 v0
	volume p 1 16 v1
	volume p 2 16 v2
	fill /dev/mapper/v2 3
	start_load --iodepth=1 --rate=100k
	for ((round = 0; round < rounds; round++)); do
		kill_in_turn $round
		# The watchdog has said so.
		if grep -q 'died while' "$TE_TMP/sender"; then in_window=$((in_window + 1)); fi
		if is_recorded; then cleaned=$((cleaned + 1)); fi
		thinexport cleanup p 2>"$TE_TMP/cleanup" || { cat "$TE_TMP/cleanup"; return 1; }
		nothing_is_left p
	done
	echo "$in_window in the window, $cleaned had to be cleaned up"
	end_load
	holds /dev/mapper/v2 3
	# Of one kill in three that was meant for it.
	[ $in_window -ge $((rounds / 5)) ]
	[ $cleaned -ge $((rounds - rounds / 3)) ]
	deactivate v0 v1 v2 p
	thin_check /dev/mapper/p-slow
	has_only /dev/mapper/p-slow 0 1 2
	deactivate p-slow
}

# Kills a sender some time after something stands still, and asks what cleanup would do.
kill_in_window() { # kill_in_window MS
	killed_after "$1" any_is_suspended thinexport send --direct p >/dev/null 2>"$TE_TMP/sender" || true
	wait_for 5 none_is_suspended
	thinexport cleanup -n p | tee "$TE_TMP/would"
}

# It may have died before the snapshot was made, or behind the window.
died_in_window() {
	grep 'died while the volumes stood still; they have been resumed' "$TE_TMP/sender" &&
		grep -q 'would delete the snapshot 16777215 of volume 0' "$TE_TMP/would"
}

a_dead_window_s_watchdog_says_so() {
	local ms=0
	slow_pool p 50 128
	volume p 0 16 v0
	kill_in_window $ms
	# The snapshot stands when the pool has committed it, which takes 50 ms at least.
	while ! died_in_window && [ $ms -lt 1000 ]; do
		thinexport cleanup p
		kill_in_window $((ms += 20))
	done
	died_in_window
	fails nothing_is_left p
	thinexport cleanup -n --json p |
		jq -e '.done == false and .runs[0].pool == "p" and
			(.runs[0].acts | index("delete the snapshot 16777215 of volume 0"))'
	fails nothing_is_left p
	thinexport cleanup p
	nothing_is_left p
	thinexport cleanup --json p | jq -e '.done and .runs == []'
	thinexport cleanup p 2>&1 | grep 'nothing to clean up'
	deactivate v0 p p-slow
}

a_sender_stopped_in_its_window_is_overtaken_by_the_watchdog() {
	local sender status=0
	slow_pool p 200 128
	volume p 0 16 v0
	volume p 1 16 v1
	thinexport send --direct --window-limit 500 p >/dev/null 2>"$TE_TMP/sender" &
	sender=$!
	wait_for 20 any_is_suspended
	kill -STOP $sender
	# Its last request still runs; then nobody but the watchdog can resume.
	wait_for 10 none_is_suspended
	dd if=/dev/zero of=/dev/mapper/v0 bs=4k count=1 oflag=direct status=none
	[ "$(cut -d' ' -f3 /proc/$sender/stat)" = T ]
	fails_with 'another thinexport is at work' thinexport cleanup p
	kill -CONT $sender
	wait $sender || status=$?
	cat "$TE_TMP/sender"
	[ $status -eq 1 ]
	grep -q 'stood still for more than 500 ms and have been resumed' "$TE_TMP/sender"
	nothing_is_left p
	deactivate v0 v1 p
	has_only /dev/mapper/p-slow 0 1
	deactivate p-slow
}

a_window_over_its_limit_is_ended_and_nothing_is_sent() {
	slow_pool p 200 128
	volume p 0 16 v0
	volume p 1 16 v1
	fails_with 'stood still for more than 100 ms' \
		thinexport send --direct --window-limit 100 -o "$TE_TMP/late" p
	[ ! -e "$TE_TMP/late" ]
	nothing_is_left p
	deactivate v0 v1 p p-slow
}

a_sender_told_to_stop_undoes_its_work() {
	local signal
	small_pool p
	for signal in INT TERM HUP; do
		hold_sender --direct p
		end_sender $signal
		nothing_is_left p
	done
	deactivate v0 v1 p
}

kill_held_sender() {
	kill -9 $te_sender
	wait $te_sender || true
	exec 8>&-
}

after_a_reboot_cleanup_finds_the_snapshots() {
	local sender boot metadata
	small_pool p
	read -r metadata _ < <(pool_devices p)
	hold_sender --direct p
	kill_held_sender
	# What a reboot leaves: the record of another boot, and no device.
	dmsetup ls | sed -n 's/^\(thinexport-[^ \t]*\).*/\1/p' | xargs -n1 dmsetup remove --retry
	deactivate v0 v1
	boot=$(sed 's/^./x/' /proc/sys/kernel/random/boot_id)
	sed -i "s/^boot .*/boot $boot/" $te_records/*
	fails_with 'earlier run .* was interrupted.*thinexport cleanup p' \
		thinexport send --direct -o "$TE_TMP/again" p
	thinexport cleanup p
	nothing_is_left p
	deactivate p
	has_only "$metadata" 0 1
}

cleanup_leaves_snapshots_of_another_time() {
	local metadata
	small_pool p
	read -r metadata _ < <(pool_devices p)
	hold_sender --direct p
	kill_held_sender
	# As if they were somebody else's: the run's own would have been created later.
	sed -i 's/^time_before .*/time_before 1/' $te_records/*.record
	fails_with 'another time of creation \(1, not 2\).*left.*delete 16777215' \
		thinexport cleanup p
	nothing_is_left p
	message p delete 16777215
	message p delete 16777214
	deactivate v0 v1 p
	has_only "$metadata" 0 1
}

# A run that died in its window after MARK, and then a metadata snapshot of the pool,
# which nobody has written to since: it looks like the run's own.
dead_with_mark() { # dead_with_mark MARK
	local mark
	hold_sender --direct p
	kill_held_sender
	mark=$(echo /run/thinexport/p.*.window)
	[ -e "$mark" ]
	sed -i 's/^phase .*/phase window/' $te_records/*.record
	case $1 in
	lost) rm "$mark" ;;
	*) printf "\\$1\\0\\0\\0" | dd of="$mark" conv=notrunc status=none ;;
	esac
	message p reserve_metadata_snap
}

cleanup_releases_the_metadata_snapshot_only_if_the_run_took_it() {
	local metadata
	small_pool p
	read -r metadata _ < <(pool_devices p)
	dead_with_mark 1
	thinexport cleanup p
	[ "$(held_root p)" != - ]
	message p release_metadata_snap
	nothing_is_left p

	dead_with_mark 3
	thinexport cleanup p
	nothing_is_left p

	# After a reboot nothing tells.
	dead_with_mark lost
	fails_with 'this run or, after it, another program.*release_metadata_snap' \
		thinexport cleanup p
	[ "$(held_root p)" != - ]
	message p release_metadata_snap
	nothing_is_left p
	deactivate v0 v1 p
	has_only "$metadata" 0 1
}

run_tests \
	a_dead_window_s_watchdog_says_so \
	a_sender_stopped_in_its_window_is_overtaken_by_the_watchdog \
	a_window_over_its_limit_is_ended_and_nothing_is_sent \
	a_sender_told_to_stop_undoes_its_work \
	after_a_reboot_cleanup_finds_the_snapshots \
	cleanup_leaves_snapshots_of_another_time \
	cleanup_releases_the_metadata_snapshot_only_if_the_run_took_it \
	killed_at_any_moment_and_cleaned_up_nothing_is_left
