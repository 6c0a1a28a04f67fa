#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stream that is not whole, and a receive that is ended, leave no pool behind.
. "${0%/*}/lib.sh"
needs thin_restore thin_check blkid

example_pool pool
send_pool pool whole 2>/dev/null
size=$(stat -c %s whole)

# refused STREAM: with one error, and no pool.
refused() {
	new_target new 200
	fails 1 "" receive_pool new -i "$1"
	no_pool new
}

a_stream_cut_at_any_frame_leaves_no_pool() {
	"$te" dump whole | sed -n 's/^[0-9].* at byte \([0-9]*\):.*/\1/p' >frames
	[ "$(wc -l <frames)" -gt 10 ]
	while read -r at; do
		head -c "$at" whole >cut
		refused cut
	done <frames
}

a_stream_cut_anywhere_leaves_no_pool() {
	for at in 0 1 47 100 143 500 $((size / 3)) $((size / 2)) $((size - 89)) $((size - 1)); do
		head -c "$at" whole >cut
		refused cut
	done
}

a_changed_byte_leaves_no_pool() {
	for at in 0 8 60 150 700 $((size / 2)) $((size - 60)) $((size - 1)); do
		cp whole changed
		byte=$(od -An -tu1 -j$at -N1 whole | tr -d ' ')
		# shellcheck disable=SC2059
		printf "\\$(printf %o $((byte ^ 1)))" |
			dd of=changed bs=1 seek=$at conv=notrunc status=none
		refused changed
	done
}

two_streams_in_a_row_are_refused() {
	cat whole whole >twice
	refused twice
}

a_damaged_beginning_changes_nothing() {
	new_target new 200
	tr '\0' 'x' </dev/zero | head -c $((200 * 65536)) >new.data
	sha256sum new.meta new.data >before
	head -c 100 whole >cut
	fails 1 "" receive_pool new -i cut
	sha256sum new.meta new.data | diff before -
}

a_broken_stream_over_an_old_pool_leaves_neither() {
	cp pool.meta new.meta
	cp pool.data new.data
	head -c $((size / 2)) whole >cut
	fails 1 "" receive_pool new -i cut --force
	no_pool new
}

a_signal_ends_it_with_a_sentence() {
	mkfifo -m 600 pipe
	for signal in INT TERM HUP; do
		new_target new 200
		# So much of the stream, and then nothing for long.
		(head -c $((size / 2)) whole; exec sleep 60) >pipe &
		feeder=$!
		# A background job of a shell would ignore SIGINT.
		env --default-signal=INT,HUP "$te" receive -i pipe \
			--metadata new.meta --data new.data 2>said &
		is_ended_by_a_signal $! $signal
		kill $feeder
		has "interrupted" said
		no_pool new
	done
}

a_kill_at_any_moment_leaves_no_pool_or_the_whole() {
	whole=0
	none=0
	for moment in 1 3 5 8 12 16 20 25 30 35 40 50 60 80 100 130 160 200; do
		new_target new 200
		timeout -s KILL 0.$(printf %03d $moment) "$te" receive -i whole \
			--metadata new.meta --data new.data 2>/dev/null || true
		if thin_check -q new.meta 2>/dev/null; then
			whole=$((whole + 1))
			same_pool pool new
		else
			none=$((none + 1))
			no_pool new
		fi
	done
	echo "$none killed in time, $whole not"
	[ $none -gt 0 ]
}

run_tests a_stream_cut_at_any_frame_leaves_no_pool \
	a_stream_cut_anywhere_leaves_no_pool \
	a_changed_byte_leaves_no_pool \
	two_streams_in_a_row_are_refused \
	a_damaged_beginning_changes_nothing \
	a_broken_stream_over_an_old_pool_leaves_neither \
	a_signal_ends_it_with_a_sentence \
	a_kill_at_any_moment_leaves_no_pool_or_the_whole
