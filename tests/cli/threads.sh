#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# However many threads: the same bytes, the same words, and an end.
. "${0%/*}/lib.sh"
needs thin_restore

generate=${te%/*}/thin-generate
numbers='1 2 7'

# A pool of some hundred frames: zeros, sharing, blocks of one volume everywhere.
a_pool() {
	"$generate" --data pool.data --zeros 30 --mappings 3000 --volumes 3 --snapshots 4 \
		--scatter 50 --seed 3 "$@" pool.meta
}

send() {
	timeout 60 "$te" send --metadata pool.meta --data pool.data \
		--stream-id 00112233445566778899aabbccddeeff "$@"
}

any_number_of_threads_gives_the_same_bytes() {
	for sectors in 128 384 4096; do
		a_pool --block-sectors $sectors --mappings $((300000 / sectors))
		for codec in none zlib zstd; do
			send --codec $codec --threads 1 >wanted
			"$te" verify wanted
			for number in $numbers; do
				send --codec $codec --threads "$number" | cmp - wanted
			done
			send --codec $codec | cmp - wanted
		done
	done
}

a_number_that_cannot_be_is_refused() {
	for number in 0 -1 257 2x '' 99999999999999999999; do
		fails 2 "--threads takes 1 to 256, not '$number'" send --threads "$number"
	done
}

a_full_disk_is_one_error() {
	for number in $numbers; do
		fails 1 "/dev/full: no room left for the stream" \
			send --threads "$number" --codec zstd -o /dev/full
	done
}

a_reader_that_goes_away_is_one_error() {
	mkfifo channel
	for number in $numbers; do
		head -c 1000000 <channel >/dev/null &
		fails 1 "the reader of the stream has gone away" \
			sh -c "exec timeout 60 '$te' send --threads $number --metadata pool.meta --data pool.data >channel"
		wait $!
	done
}

# The data is cut off while the stream waits for its reader: many reads fail, one is told.
a_read_that_fails_is_one_error() {
	for number in $numbers; do
		cp --sparse=always pool.data kept
		mkfifo slow
		(head -c 1 >/dev/null; truncate -s 1M pool.data; exec cat >/dev/null) <slow &
		fails 1 "of pool.data: Input/output error" \
			sh -c "exec timeout 60 '$te' send --threads $number --metadata pool.meta --data pool.data >slow"
		wait
		rm slow
		mv kept pool.data
	done
}

a_signal_ends_it() {
	mkfifo stuck
	for number in $numbers; do
		sleep 30 <stuck &
		sleeper=$!
		"$te" send --threads "$number" --metadata pool.meta --data pool.data >stuck 2>said &
		pid=$!
		is_ended_by_a_signal $pid
		kill $sleeper
		has "interrupted: nothing was sent" said
	done
}

zeros_cost_next_to_nothing() {
	zero_pool zeros 16384
	"$te" send --metadata zeros.meta --data zeros.data >zeros
	"$te" verify zeros
	test "$(stat -c %s zeros)" -lt 1000
}

receive() {
	rm -f new.meta new.data
	truncate -r pool.meta new.meta
	truncate -r pool.data new.data
	timeout 60 "$te" receive --metadata new.meta --data new.data "$@"
}

# In whatever order frames are decoded, they arrive in one.
any_number_of_threads_receives_the_same_pool() {
	for codec in none zlib zstd; do
		send --codec $codec >stream
		receive -i stream --threads 1
		mv new.meta wanted.meta
		mv new.data wanted.data
		for number in $numbers; do
			receive -i stream --threads "$number"
			cmp new.meta wanted.meta
			cmp new.data wanted.data
			cat stream | receive --threads "$number"
			cmp new.meta wanted.meta
			cmp new.data wanted.data
			timeout 60 "$te" verify --threads "$number" stream >told
			timeout 60 "$te" verify --threads "$number" <stream | sed 's/^standard input/stream/' |
				cmp - told
		done
	done
}

# flip FILE OFFSET: changes the byte there.
flip() {
	old=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	printf "\\$(printf %o $((old ^ 4)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# refused WORDS LIMIT: of "broken", by any number of threads, from file and pipe; and
# of the data nothing is written from LIMIT on.
refused() {
	for number in $numbers; do
		fails 1 "broken: $1" receive --threads "$number" -i broken
		no_pool new
		tail -c "+$(($2 + 1))" new.data | tr -d '\0' >behind
		cmp behind /dev/null
		fails 1 "input: $1" sh -c "cat broken | timeout 60 '$te' receive --force --threads $number --metadata new.meta --data new.data"
		no_pool new
		fails 1 "broken: $1" timeout 60 "$te" verify --threads "$number" broken
		fails 1 "input: $1" sh -c "cat broken | timeout 60 '$te' verify --threads $number"
	done
}

# The bytes that frames of ops before the 30th bring, and that one's place.
a_damaged_frame_has_no_effect_and_is_told_in_its_turn() {
	for codec in none zstd; do
		send --codec $codec >stream
		"$te" dump --json stream | tr -d '{}"' | awk -F'[:,]' '
			/^frame/ { frame = $2; byte = $6; stored = $10 }
			/kind:OPS/ && ++ops == 30 { print frame, byte, stored, placed * 512; exit }
			/^op:DATA/ || /^op:ZERO/ { placed += $6 }' >place
		read -r frame byte stored placed <place
		# Also the frame behind it, whose header is looked at before this is decoded.
		cp stream broken
		flip broken $((byte + 48 + stored / 2))
		flip broken $((byte + 48 + stored + 10))
		refused "frame $frame (byte $byte) has a damaged payload" "$placed"
		head -c $((byte + 48 + stored / 2)) stream >broken
		refused "the stream is cut short: it ends at byte $((byte + 48 + stored / 2)), in frame $frame" \
			"$placed"
	done
}

a_full_target_is_one_error() {
	send --codec zstd >stream
	for number in $numbers; do
		fails 1 "new.data: cannot write at byte" \
			sh -c "ulimit -f 20000; exec '$te' receive --force -i stream --threads $number --metadata new.meta --data new.data"
		no_pool new
	done
}

a_signal_ends_a_wait_for_input() {
	send --codec zstd >stream
	mkfifo idle
	for number in $numbers; do
		for verb in verify "receive --force --metadata new.meta --data new.data"; do
			# On a busy machine the signal comes while head still writes.
			(head -c 20000000 stream || :; exec sleep 30) >idle &
			sleeper=$!
			# shellcheck disable=SC2086
			"$te" $verb --threads "$number" <idle >told 2>said &
			pid=$!
			is_ended_by_a_signal $pid
			kill $sleeper
			has "interrupted: " said
		done
	done
}

a_pool
run_tests \
	any_number_of_threads_gives_the_same_bytes \
	a_number_that_cannot_be_is_refused \
	a_full_disk_is_one_error \
	a_reader_that_goes_away_is_one_error \
	a_read_that_fails_is_one_error \
	a_signal_ends_it \
	zeros_cost_next_to_nothing \
	any_number_of_threads_receives_the_same_pool \
	a_damaged_frame_has_no_effect_and_is_told_in_its_turn \
	a_full_target_is_one_error \
	a_signal_ends_a_wait_for_input
