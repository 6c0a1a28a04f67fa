#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stream through programs that encrypt and decrypt it: the same pool comes out, and
# none of what was cut, changed, or decrypted with another key.
. "${0%/*}/lib.sh"
needs thin_restore thin_check thin_ls openssl

example_pool pool
echo "a long way" >key
echo "another" >wrong_key

cipher() { # cipher KEY [-d]
	file=$1
	shift
	openssl enc -aes-256-ctr -pbkdf2 -pass "file:$file" "$@"
}

sealed() {
	[ -e sealed ] || send_pool pool /dev/stdout --codec zlib 2>/dev/null | cipher key >sealed
}

an_encrypted_stream_is_verified_and_received() {
	sealed
	not grep -q DMTESTRM sealed
	cipher key -d <sealed | "$te" verify
	new_target new 200
	cipher key -d <sealed | receive_pool new
	same_pool pool new
}

# refused WORDS KEY FILE: and there is no pool.
refused() {
	new_target new 200
	cipher "$2" -d <"$3" | fails 1 "$1" receive_pool new
	no_pool new
}

another_key_gives_no_pool() {
	sealed
	refused "is not a thinexport stream" wrong_key sealed
}

what_was_cut_on_the_way_gives_no_pool() {
	sealed
	head -c 3000000 sealed >cut
	refused "cut short" key cut
}

what_was_changed_on_the_way_gives_no_pool() {
	sealed
	for at in 100 1000 2000000; do
		cp sealed changed
		head -c $((at + 1)) sealed | tail -c 1 | tr '\000-\377' '\001-\377\000' |
			dd of=changed bs=1 seek=$at conv=notrunc status=none
		refused "frame" key changed
	done
}

# A sender that dies ends its stream before the END, and what follows it in the pipe
# ends quite well.
a_sender_that_died_gives_no_pool() {
	new_target new 200
	(send_pool pool /dev/stdout 2>/dev/null | head -c 1000000) | cipher key | cipher key -d |
		fails 1 "cut short" receive_pool new
	no_pool new
}

run_tests an_encrypted_stream_is_verified_and_received \
	another_key_gives_no_pool \
	what_was_cut_on_the_way_gives_no_pool \
	what_was_changed_on_the_way_gives_no_pool \
	a_sender_that_died_gives_no_pool
