#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A send to a file that was interrupted goes on where it was, and comes out the same.
. "${0%/*}/lib.sh"
needs thin_restore thin_check thin_dump jq

id=000102030405060708090a0b0c0d0e0f
example_pool p
send_pool p whole --stream-id $id
send_pool p whole.zlib --codec zlib --stream-id $id

# goes_on FILE OPTION...: f.part becomes FILE.
goes_on() {
	wanted=$1
	shift
	rm -f f
	"$te" send --metadata p.meta --data p.data --stream-id $id --codec none --resumable -o f "$@"
	cmp f "$wanted"
	not [ -e f.part ]
	rm f
}

# ends_of STREAM: where its frames end.
ends_of() {
	"$te" dump --json "$1" | jq -r 'select(.frame) | .byte + 48 + .stored_bytes'
}

random_below() {
	od -An -N4 -tu4 /dev/urandom | awk -v n="$1" '{ print $1 % n }'
}

it_goes_on_from_any_frame_and_from_inside_any() {
	for end in $(ends_of whole); do
		head -c "$end" whole >f.part
		goes_on whole
		head -c $((end + 47)) whole >f.part
		goes_on whole
	done
}

it_goes_on_from_random_places_with_another_codec_in_the_frames() {
	for _ in $(seq 50); do
		head -c "$(random_below "$(stat -c %s whole.zlib)")" whole.zlib >f.part
		goes_on whole.zlib --codec zlib --threads 3
	done
}

# The half is of the one codec, the rest of the other: it is still that stream.
the_codec_may_change_on_the_way() {
	head -c $(($(stat -c %s whole) / 2)) whole >f.part
	"$te" send --metadata p.meta --data p.data --resumable -o f --codec zlib
	"$te" verify f
	new_target q 100
	receive_pool q -i f
	same_pool p q
	rm f
}

what_a_power_cut_left_is_cut_off() {
	size=$(stat -c %s whole)
	head -c $((size / 2)) whole >f.part
	truncate -s "$size" f.part
	goes_on whole
	truncate -s 5000 f.part
	goes_on_with_a_new_id
	cp whole f.part
	printf x | dd of=f.part bs=1 seek=$((size / 3)) conv=notrunc status=none
	goes_on whole
	cp whole f.part
	goes_on whole
	(cat whole; echo more) >f.part
	goes_on whole
}

# Nothing of it was a beginning: a stream of its own id.
goes_on_with_a_new_id() {
	rm -f f
	"$te" send --metadata p.meta --data p.data --resumable -o f
	"$te" verify f
	rm f
}

a_killed_send_leaves_its_part_and_the_next_finishes_it() {
	rm -f f f.part
	big_pool
	(
		ulimit -f $((3 * 1024))
		fails 1 "no room left" "$te" send --metadata big.meta --data big.data \
			--stream-id $id --codec none --resumable -o f
	)
	[ "$(stat -c %s f.part)" -eq $((3 * 1024 * 512)) ] || [ "$(stat -c %s f.part)" -eq $((3 * 1024 * 1024)) ]
	send_pool big big.whole --stream-id $id
	"$te" send --metadata big.meta --data big.data --codec none --resumable -o f &
	pid=$!
	kill -9 $pid
	wait $pid || :
	[ -e f ] || "$te" send --metadata big.meta --data big.data --codec none --resumable -o f
	cmp f big.whole
	rm f
}

big_pool() {
	zero_pool big 400
	data_of big.data 400
}

another_source_is_refused_and_the_part_stays() {
	half=$(($(stat -c %s whole) / 2))
	head -c $half whole >f.part
	fails 1 "not what the interrupted stream was made of" \
		"$te" send --metadata p.meta --data p.data --volume 1 --resumable -o f
	fails 1 "not what the interrupted stream was made of" \
		"$te" send --metadata p.meta --data p.data --name 1=x --resumable -o f
	example_xml | sed 's/data_begin="120"/data_begin="121"/; s/origin_begin="50" data_begin="150"/origin_begin="50" data_begin="160"/' >other.xml
	pool_of other other.xml 200
	fails 1 "not what the interrupted stream was made of" \
		"$te" send --metadata other.meta --data other.data --resumable -o f
	# Only where the blocks lie is another.
	example_xml | sed 's/data_begin="150"/data_begin="160"/' >moved.xml
	pool_of moved moved.xml 200
	head -c $half whole >f.part
	fails 1 "not what the interrupted stream was made of" \
		"$te" send --metadata moved.meta --data moved.data --resumable -o f
	fails 1 "another id" "$te" send --metadata p.meta --data p.data --resumable -o f \
		--stream-id ff0102030405060708090a0b0c0d0e0f
	# As far as it is whole.
	[ "$(stat -c %s f.part)" -gt 1000000 ]
	cmp -n "$(stat -c %s f.part)" f.part whole
	goes_on whole
}

what_is_no_stream_is_refused_and_stays() {
	echo "a letter" >f.part
	cp f.part kept
	fails 1 "holds something that is no stream" \
		"$te" send --metadata p.meta --data p.data --resumable -o f
	cmp f.part kept
	rm f.part
	ln -s whole f.part
	fails 1 "cannot open" "$te" send --metadata p.meta --data p.data --resumable -o f
	rm f.part
	ln whole f.part
	fails 1 "not a file of this user alone" \
		"$te" send --metadata p.meta --data p.data --resumable -o f
	rm f.part
	[ ! -e f ]
	"$te" verify whole
}

an_existing_file_is_kept_without_force() {
	echo old >f
	head -c 100000 whole >f.part
	fails 1 "exists already" "$te" send --metadata p.meta --data p.data --resumable -o f
	[ "$(cat f)" = old ]
	"$te" send --metadata p.meta --data p.data --resumable --force -o f
	"$te" verify f
	rm f
}

run_tests it_goes_on_from_any_frame_and_from_inside_any \
	it_goes_on_from_random_places_with_another_codec_in_the_frames \
	the_codec_may_change_on_the_way \
	what_a_power_cut_left_is_cut_off \
	a_killed_send_leaves_its_part_and_the_next_finishes_it \
	another_source_is_refused_and_the_part_stays \
	what_is_no_stream_is_refused_and_stays \
	an_existing_file_is_kept_without_force
