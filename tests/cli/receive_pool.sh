#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stream becomes a new pool on image files, which is the one that was sent.
. "${0%/*}/lib.sh"
needs thin_restore thin_dump thin_ls thin_check

generate=$(dirname "$te")/thin-generate

example_pool pool
send_pool pool whole 2>/dev/null
# What the example's volumes map, each pool block once.
blocks=$(thin_dump pool.meta | awk -F'"' '
	/<range_mapping /  { for (i = 0; i < $6; i++) seen[$4 + i] }
	/<single_mapping / { seen[$4] }
	END { print length(seen) }')

a_received_pool_is_the_one_that_was_sent() {
	new_target new 200
	receive_pool new -i whole
	same_pool pool new
}

it_arrives_through_a_pipe_too() {
	new_target new 200
	send_pool pool /dev/stdout | receive_pool new
	same_pool pool new
}

a_compressed_stream_gives_the_same_pool() {
	new_target new 200
	send_pool pool packed --codec zlib
	receive_pool new -i packed
	same_pool pool new
}

what_was_received_can_be_sent_on() {
	new_target new 200
	new_target third 200
	receive_pool new -i whole
	send_pool new again
	receive_pool third -i again
	same_pool pool third
}

transaction_id_and_block_size_are_kept() {
	new_target new 200
	receive_pool new -i whole
	thin_dump new.meta | grep '<superblock ' >line
	has 'transaction="9"' line
	has 'data_block_size="128"' line
}

# dm-thin takes a mapping that is older than the volume's snapshot for shared.
just_what_is_shared_looks_shared() {
	new_target new 200
	receive_pool new -i whole
	thin_dump new.meta | awk -F'"' '
		/<device /	   { snapped = $10 }
		/<range_mapping /  { for (i = 0; i < $6; i++) see($4 + i, $8) }
		/<single_mapping / { see($4, $6) }
		function see(block, time) { users[block]++; shared[block] = snapped > time }
		END {
			for (block in users) {
				if (shared[block] != (users[block] > 1))
					exit 1
				n += shared[block]
			}
			exit n == 0
		}'
}

a_larger_target_gives_a_larger_pool() {
	new_target new 1000
	truncate -s 40M new.meta
	receive_pool new -i whole
	same_pool pool new
	thin_dump new.meta | grep '<superblock ' >line
	has 'nr_data_blocks="1000"' line
}

a_target_of_just_the_blocks_sent_is_enough() {
	new_target new "$blocks"
	receive_pool new -i whole
	same_pool pool new
}

one_block_less_is_refused_and_the_shortfall_named() {
	new_target new $((blocks - 1))
	fails 1 "65536 bytes more are needed" receive_pool new -i whole
	no_pool new
	new_target new "$blocks"
	truncate -s -1 new.data
	fails 1 "; 1 bytes more are needed" receive_pool new -i whole
	no_pool new
}

zeros_stay_holes_in_a_file() {
	new_target new 200
	receive_pool new -i whole 2>said
	has "of zeros" said
	# The example's data has 29 zero blocks, of which some are mapped.
	[ "$(stat -c '%b * %B' new.data | sed 's/$/ \/ 65536/' | xargs expr)" -lt "$blocks" ]
}

old_bytes_do_not_shine_through_zeros() {
	new_target new 200
	tr '\0' '\377' </dev/zero | head -c $((200 * 65536)) >new.data
	receive_pool new -i whole
	same_pool pool new
}

pools_made_up_at_random_arrive() {
	[ -x "$generate" ] || skip "no thin-generate"
	for seed in 1 2 3; do
		"$generate" --seed $seed --mappings 600 --zeros 20 --data made.data made.meta
		send_pool made stream
		new_target new $(($(stat -c %s made.data) / 65536))
		receive_pool new -i stream
		same_pool made new
	done
}

large_blocks_arrive() {
	[ -x "$generate" ] || skip "no thin-generate"
	"$generate" --seed 5 --mappings 60 --block-sectors 1152 --data made.data made.meta
	send_pool made stream
	new_target new 1
	truncate -s "$(stat -c %s made.data)" new.data
	receive_pool new -i stream
	block_bytes=$((1152 * 512))
	same_pool made new
}

run_tests a_received_pool_is_the_one_that_was_sent \
	it_arrives_through_a_pipe_too \
	a_compressed_stream_gives_the_same_pool \
	what_was_received_can_be_sent_on \
	transaction_id_and_block_size_are_kept \
	just_what_is_shared_looks_shared \
	a_larger_target_gives_a_larger_pool \
	a_target_of_just_the_blocks_sent_is_enough \
	one_block_less_is_refused_and_the_shortfall_named \
	zeros_stay_holes_in_a_file \
	old_bytes_do_not_shine_through_zeros \
	pools_made_up_at_random_arrive \
	large_blocks_arrive
