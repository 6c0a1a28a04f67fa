#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever is not one whole stream is refused by dump, info and verify, in words.
. "${0%/*}/lib.sh"
needs thin_restore

example_pool pool
send_pool pool whole 2>/dev/null
size=$(stat -c %s whole)

each_verb() {
	for verb in dump info verify; do
		fails 1 "$1" "$te" $verb "$2"
	done
}

a_missing_file_is_named() {
	each_verb "nowhere: cannot be opened: No such file" nowhere
}

a_directory_is_refused() {
	each_verb "is a directory" "$work"
}

a_file_that_may_not_be_read_is_named() {
	[ "$(id -u)" -ne 0 ] || command -v setpriv >/dev/null || skip "no setpriv"
	cp whole locked
	chmod 0 locked
	chmod 755 "$work"
	cp "$te" ./thinexport
	drop="setpriv --reuid=65534 --clear-groups"
	[ "$(id -u)" -eq 0 ] || drop=
	for verb in dump info verify; do
		fails 1 "locked: cannot be opened: Permission denied" \
			$drop ./thinexport $verb locked
	done
}

an_empty_file_is_no_stream() {
	: >empty
	each_verb "is empty" empty
	fails 1 "standard input is empty" "$te" verify
}

a_terminal_is_no_stream() {
	for verb in dump info verify; do
		script -qec "$te $verb" /dev/null >typescript && return 1
		has "is a terminal" typescript
	done
}

random_bytes_are_no_stream() {
	head -c 100000 /dev/urandom >garbage
	each_verb "is not a thinexport stream" garbage
	echo hi >garbage
	each_verb "is not a thinexport stream" garbage
}

a_cut_stream_is_cut_at_whatever_byte() {
	for at in 1 47 48 49 143 144 145 200 1000 70000 $((size / 2)) $((size - 89)) \
		$((size - 88)) $((size - 40)) $((size - 1)); do
		head -c $at whole >cut
		each_verb "cut short: it ends at byte $at" cut
	done
}

two_streams_in_a_row_are_refused() {
	cat whole whole >two
	each_verb "the stream ends at byte $size and another follows" two
}

bytes_behind_the_end_are_refused() {
	(cat whole; echo) >more
	each_verb "and bytes follow" more
}

an_altered_byte_is_found() {
	for at in 0 5 9 30 60 100 150 500 3000 100000 $((size / 2)) $((size - 20)); do
		cp whole altered
		byte=$(od -An -tu1 -j $at -N 1 whole)
		printf "\\$(printf %o $((byte ^ 64)))" |
			dd of=altered bs=1 seek=$at conv=notrunc status=none
		for verb in dump info verify; do
			fails 1 "altered" "$te" $verb altered
		done
	done
}

a_full_disk_below_the_listing_is_an_error() {
	for verb in dump info verify; do
		fails 1 "standard output: cannot be written" sh -c "$te $verb whole >/dev/full"
	done
}

unknown_options_and_too_many_words_are_usage() {
	for verb in dump info verify; do
		fails 2 "Usage: thinexport $verb" "$te" $verb --no-such-option whole
		fails 2 "Usage: thinexport $verb" "$te" $verb whole whole
	done
}

run_tests a_missing_file_is_named \
	a_directory_is_refused \
	a_file_that_may_not_be_read_is_named \
	an_empty_file_is_no_stream \
	a_terminal_is_no_stream \
	random_bytes_are_no_stream \
	a_cut_stream_is_cut_at_whatever_byte \
	two_streams_in_a_row_are_refused \
	bytes_behind_the_end_are_refused \
	an_altered_byte_is_found \
	a_full_disk_below_the_listing_is_an_error \
	unknown_options_and_too_many_words_are_usage
