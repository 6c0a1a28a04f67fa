#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the stream goes: complete and under its name, or not there at all.
. "${0%/*}/lib.sh"
needs thin_restore

example_pool pool

send() {
	"$te" send --metadata pool.meta --data pool.data "$@"
}

# alone FILE...: these are all the files whose names start with stream.
alone() {
	printf '%s\n' "$@" >wanted
	ls -a | grep '^stream' >there || :
	cmp there wanted
}

the_same_pool_and_stream_id_give_the_same_bytes() {
	id=00112233445566778899aabbccddeeff
	send --stream-id $id >one
	send --stream-id $id -o two
	cmp one two
	send --codec zlib --stream-id $id >one
	send --codec zlib --stream-id $id -o three
	cmp one three
}

without_a_codec_it_is_zstd_of_level_1() {
	id=00112233445566778899aabbccddeeff
	send --stream-id $id >one
	send --codec zstd:1 --stream-id $id | cmp - one
	send --codec none --stream-id $id >plain
	not cmp -s one plain
}

without_a_stream_id_each_stream_has_its_own() {
	send >one
	send >two
	not cmp -s one two
	"$te" info --json one | grep -o '"id":"[0-9a-f]*"' >id.1
	"$te" info --json two | grep -o '"id":"[0-9a-f]*"' >id.2
	not cmp -s id.1 id.2
}

names_and_sizes_travel() {
	send --name 1=root --name 7=swäp --size 7=81920 --pool-name vg-pool >named
	"$te" info --json named >told
	has '"name":"root"' told
	has '"name":"swäp","sectors":81920,"size_known":true' told
	has '"pool":{"name":"vg-pool"' told
}

a_named_volume_can_be_chosen_by_name() {
	send --name 1=root --volume root >named
	"$te" info --json named >told
	[ "$(grep -o '"id":[0-9][0-9]*' told)" = '"id":1' ]
}

a_file_is_there_when_it_is_complete() {
	send -o stream
	"$te" verify stream
	alone stream
	[ "$(stat -c %a stream)" = 600 ]
}

a_file_that_exists_is_replaced_with_force_only() {
	echo precious >stream
	fails 1 "stream exists already" send -o stream
	[ "$(cat stream)" = precious ]
	send -o stream --force
	"$te" verify stream
	alone stream
	mkdir stream.d
	fails 1 "stream.d exists already, and is a folder" send -o stream.d --force
}

a_link_stays_a_link() {
	echo old >target
	ln -s target link
	send -o link --force
	[ -L link ]
	"$te" verify target
}

a_folder_that_is_not_there_is_an_error() {
	fails 1 "cannot create nowhere/stream: No such file" send -o nowhere/stream
}

a_device_node_is_written_where_it_is() {
	send -o /dev/null
	[ -c /dev/null ]
	mkfifo pipe
	cat pipe >stream &
	send -o pipe
	wait $!
	"$te" verify stream
	rm -f stream
}

a_terminal_is_refused() {
	command -v script >/dev/null || skip "no script"
	script -qec "$te send --metadata pool.meta --data pool.data" /dev/null >typescript && return 1
	has "standard output is a terminal" typescript
}

the_source_is_not_written_over() {
	cp pool.data kept
	fails 1 "pool.data is what is to be sent" send -o pool.data --force
	fails 1 "pool.meta is what is to be sent" send -o ./pool.meta --force
	cmp pool.data kept
	# As `1<> pool.data` would: at least it is not changed.
	if send 1<>pool.data 2>said; then
		return 1
	fi
	has "standard output is what is to be sent" said
	cmp pool.data kept
}

a_full_device_is_an_error() {
	fails 1 "/dev/full: no room left for the stream" send -o /dev/full
}

a_file_that_grows_beyond_the_limit_is_removed() {
	if (ulimit -f 100; send -o stream.big 2>said); then
		return 1
	fi
	has "no room left for the stream" said
	not ls stream.big* 2>/dev/null
}

a_reader_that_goes_away_is_an_error() {
	zero_pool long 100000
	dd if=/dev/urandom of=long.data bs=1M count=64 conv=notrunc status=none
	mkfifo channel
	head -c 1000 <channel >/dev/null &
	fails 1 "the reader of the stream has gone away" \
		sh -c "exec '$te' send --metadata long.meta --data long.data >channel"
	wait
}

# ended SIGNAL: a send to a file that this ends half way.
ended() {
	zero_pool long 100000
	# Neither as a shell starts its background jobs, nor as nohup does.
	env --default-signal=INT,HUP "$te" send --metadata long.meta --data long.data \
		-o stream.long 2>said &
	pid=$!
	tries=0
	until ls stream.long.part-* 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 3000 ]
		sleep 0.02
	done
	kill -s "$1" $pid
	got=0
	wait $pid || got=$?
}

a_signal_leaves_nothing() {
	for signal in TERM INT HUP; do
		ended $signal
		[ $got -eq 1 ]
		has "interrupted: nothing was sent" said
		not ls stream.long* 2>/dev/null
	done
}

a_kill_leaves_no_stream_of_that_name() {
	ended KILL
	[ ! -e stream.long ]
	rm -f stream.long.part-*
}

a_listing_is_narrow_and_says_what_thin_ls_says() {
	send -n --name 9=a-name-that-is-much-longer-than-any-column-could-be >listing
	narrow listing
	thin_ls --no-headers -o DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS pool.meta |
		awk '{ print $1, $2, $3, $4 }' >wanted
	send -n --json | tr '{' '\n' | awk -F'[:,}]' '/"id"/ {
		for (i = 1; i < NF; i++)
			field[$i] = $(i + 1)
		print field["\"id\""], field["\"provisioned_bytes\""] / 65536,
			field["\"exclusive_bytes\""] / 65536, field["\"shared_bytes\""] / 65536
	}' | sort -n >told
	cmp told wanted
	[ "$(wc -l <told)" -eq 5 ]
}

a_listing_announces_what_then_travels() {
	announced=$(send -n --json | sed 's/.*"to_send_bytes":\([0-9]*\),"volumes".*/\1/')
	send >stream
	told=$("$te" info --json stream | sed 's/.*"data_sectors":\([0-9]*\),"zero_sectors":\([0-9]*\).*/\1 \2/')
	[ "$announced" -eq $(((${told% *} + ${told#* }) * 512)) ]
	rm stream
}

run_tests \
	the_same_pool_and_stream_id_give_the_same_bytes \
	without_a_codec_it_is_zstd_of_level_1 \
	without_a_stream_id_each_stream_has_its_own \
	names_and_sizes_travel \
	a_named_volume_can_be_chosen_by_name \
	a_file_is_there_when_it_is_complete \
	a_file_that_exists_is_replaced_with_force_only \
	a_link_stays_a_link \
	a_folder_that_is_not_there_is_an_error \
	a_device_node_is_written_where_it_is \
	a_terminal_is_refused \
	the_source_is_not_written_over \
	a_full_device_is_an_error \
	a_file_that_grows_beyond_the_limit_is_removed \
	a_reader_that_goes_away_is_an_error \
	a_signal_leaves_nothing \
	a_kill_leaves_no_stream_of_that_name \
	a_listing_is_narrow_and_says_what_thin_ls_says \
	a_listing_announces_what_then_travels
