#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# How far a run is, for a person and for a program, and what it says at its end.
. "${0%/*}/lib.sh"
needs thin_restore jq

example_pool pool
send_pool pool stream 2>/dev/null

# steady FILE PHASE: objects of this phase whose bytes grow from none to all.
steady() {
	grep '^{"phase"' "$1" | jq -e -s --arg phase "$2" '
		map(select(.phase == $phase)) |
		length >= 2 and .[0].done_bytes == 0 and
		(map(.done_bytes) == (map(.done_bytes) | sort)) and
		(map(.seconds) == (map(.seconds) | sort)) and
		.[-1].done_bytes == .[-1].total_bytes and .[-1].total_bytes > 0 and
		.[-1].rate > 0 and .[-1].seconds_left == 0'
}

send_tells_programs_how_far_it_is() {
	"$te" send --progress json --metadata pool.meta --data pool.data >new 2>said
	steady said send
}

receive_tells_programs_how_far_it_is() {
	new_target new 200
	receive_pool new -i stream --progress=json 2>said
	grep '^{"phase"' said | jq -r .phase | uniq >phases
	[ "$(xargs <phases)" = "receive finish" ]
	sed 's/"finish"/"receive"/' said >as_one
	steady as_one receive
	new_target new 200
	receive_pool new -i stream --progress=json --volume 1 2>said
	steady said scan
}

verify_tells_programs_how_far_it_is() {
	"$te" verify --progress=json stream 2>said
	steady said verify
	"$te" verify --progress=json stream --metadata pool.meta --data pool.data 2>said
	steady said verify
}

a_run_that_fails_ends_before_all() {
	head -c 2000000 stream >cut
	fails 1 "cut short" "$te" verify --progress=json cut
	grep '^{"phase"' said | jq -e -s '.[-1].done_bytes < .[-1].total_bytes'
}

an_unknown_kind_of_progress_is_refused() {
	fails 2 "--progress takes auto, json or none, not 'dots'" "$te" verify --progress=dots stream
}

# What a terminal gets of a run that takes seconds.
on_a_terminal() {
	command -v script >/dev/null || skip "no script"
	zero_pool long 100000
	script -qec "$te send $1 --metadata long.meta --data long.data >/dev/null" /dev/null |
		tr '\r' '\n' | sed 's/\x1b\[K//' >typescript
}

a_terminal_shows_bytes_rate_and_time_left() {
	on_a_terminal ""
	grep -Eq '^sent [0-9.]+ [MG]iB of 6.10 GiB, [0-9]+ %, [0-9.]+ [KMG]iB/s, [0-9]+:[0-9]{2} left$' \
		typescript
	grep '^sent ' typescript >drawn
	narrow drawn
}

none_shows_a_terminal_nothing_before_the_end() {
	on_a_terminal --progress=none
	[ "$(grep -c . typescript)" -eq 1 ]
	has "sent 1 volume" typescript
}

# The example's five volumes map 80 blocks of 64 KiB, each once.
the_totals_of_a_send_are_the_last_line() {
	"$te" send --json --progress=json --metadata pool.meta --data pool.data 2>said >new
	tail -n 1 said | jq -e --argjson bytes "$(stat -c %s new)" '
		.volumes == 5 and .data_bytes + .zero_bytes == 80 * 65536 and
		.zero_bytes > 0 and .resent_bytes == 0 and .stream_bytes == $bytes and .seconds > 0'
	"$te" send --json --metadata pool.meta --data pool.data -o file 2>said
	jq -e '.volumes == 5' said
	rm file
}

the_totals_of_a_receive_are_on_standard_output() {
	new_target new 200
	receive_pool new -i stream --json 2>said >told
	[ ! -s said ]
	jq -e '.data_bytes + .zero_bytes == 80 * 65536 and .skipped_bytes == 0 and
		.unused_bytes == 0 and .metadata_bytes > 0 and .seconds > 0 and
		(.volumes | map(.id)) == [1, 2, 7, 9, 20]' told
}

verify_says_in_json_what_was_read() {
	"$te" verify --json stream | jq -e --argjson bytes "$(stat -c %s stream)" '
		.stream == "stream" and .good and .bytes == $bytes and .volumes == 5 and
		(.data_sectors + .zero_sectors) * 512 == 80 * 65536 and has("against") == false'
	"$te" verify --json stream --metadata pool.meta --data pool.data |
		jq -e '.against | .same and .differences == [] and .different_volumes == 0 and
			.compared_bytes == 80 * 65536'
}

verify_says_in_json_what_differs() {
	cp pool.meta other.meta
	cp pool.data other.data
	printf x | dd of=other.data bs=512 seek=$((49 * 128 + 5)) conv=notrunc status=none
	got=0
	"$te" verify --json stream --metadata other.meta --data other.data >told 2>said || got=$?
	[ $got -eq 1 ]
	jq -e '.good and (.against | .same == false and .different_volumes == 1 and
		.differences == [{"volume": 2, "kind": "range", "start_sector": 6277,
			"end_sector": 6278, "what": "hold something else"}])' told
	example_xml | sed '/dev_id="9"/,/<.device>/d; /dev_id="2"/,/<.device>/s/length="50"/length="49"/
		s/mapped_blocks="50"/mapped_blocks="49"/' >less.xml
	pool_of less less.xml 200
	cp pool.data less.data
	"$te" verify --json stream --metadata less.meta --data less.data >told 2>said || got=$?
	jq -e '.against.differences | map([.volume, .kind]) ==
		[[9, "missing"], [2, "range"], [2, "counts"]]' told
}

a_broken_stream_has_no_json() {
	head -c 2000000 stream >cut
	fails 1 "cut short" "$te" verify --json cut >told
	not grep -q '^{' told
}

a_room_that_suffices_is_told_and_nothing_changed() {
	new_target new 80
	sha256sum new.meta new.data >before
	receive_pool new -n -i stream >listing
	narrow listing
	has "data      5 MiB needed, 5 MiB there: fits" listing
	receive_pool new -n -i stream --json >told
	jq -e '.fits and .block_bytes == 65536 and .transaction_id == 9 and
		.data_needed_least_bytes == 5242880 and .data_needed_most_bytes == 5242880 and
		.data_bytes == 5242880 and .metadata_needed_least_bytes > 0 and
		.metadata_bytes == 4194304 and (.volumes | map(.id)) == [1, 2, 7, 9, 20]' told
	sha256sum new.meta new.data | cmp - before
}

a_room_that_does_not_suffice_is_told_and_nothing_changed() {
	new_target new 79
	sha256sum new.meta new.data >before
	fails 1 "65536 bytes more are needed" receive_pool new -n -i stream >listing
	has "data      5 MiB needed, 4.94 MiB there: too small" listing
	fails 1 "65536 bytes more are needed" receive_pool new -n --json -i stream >told
	grep '^{' told | jq -e '.fits == false'
	truncate -s 1M new.data
	cat stream | receive_pool new -n --json --volume 9 >told
	jq -e 'has("fits") == false and .data_needed_least_bytes == 4 * 65536' told
	receive_pool new -n --json --volume 9 -i stream | jq -e '.fits'
	truncate -s $((79 * 65536)) new.data
	sha256sum new.meta new.data | cmp - before
}

# Only the beginning is read: what is broken behind it is not seen.
the_beginning_of_a_stream_is_enough() {
	head -c 4000 stream >beginning
	new_target new 200
	receive_pool new -n -i beginning | grep -q fits
	fails 1 "cut short" receive_pool new -n -i beginning --volume 1
}

run_tests send_tells_programs_how_far_it_is \
	receive_tells_programs_how_far_it_is \
	verify_tells_programs_how_far_it_is \
	a_run_that_fails_ends_before_all \
	an_unknown_kind_of_progress_is_refused \
	a_terminal_shows_bytes_rate_and_time_left \
	none_shows_a_terminal_nothing_before_the_end \
	the_totals_of_a_send_are_the_last_line \
	the_totals_of_a_receive_are_on_standard_output \
	verify_says_in_json_what_was_read \
	verify_says_in_json_what_differs \
	a_broken_stream_has_no_json \
	a_room_that_suffices_is_told_and_nothing_changed \
	a_room_that_does_not_suffice_is_told_and_nothing_changed \
	the_beginning_of_a_stream_is_enough
