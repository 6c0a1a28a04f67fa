#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Some volumes of a stream become a pool, under other ids if need be: what they map,
# hold and share is as in a pool that received them all, and nothing is left of the
# others.  The judges are thin_check, thin_dump, thin_ls and cmp.
. "${0%/*}/lib.sh"
needs thin_restore thin_dump thin_ls thin_check

generate=${te%/*}/thin-generate

example_pool pool
send_pool pool whole --name 1=disk-one --name 7=disk-seven 2>/dev/null
new_target full 200
receive_pool full -i whole 2>/dev/null

# sharing NAME ID...: what these volumes map, a line a block, with pool blocks numbered
# as they first occur, so that two pools are equal when the same volumes share the same.
sharing() {
	one=$1
	shift
	for id in "$@"; do
		mappings_of "$one" "$id" | awk -v id="$id" '{
			for (i = 0; i < $3; i++)
				print id, $1 + i, $2 + i
		}'
	done | awk '!($3 in number) { number[$3] = n++ } { print $1, $2, number[$3] }'
}

devices() {
	thin_dump "$1.meta" | sed -n 's/ snap_time="[0-9]*"//; /<device /p'
}

# as_in FULL PART ID...: PART is clean, has just these volumes, and they are as in FULL.
as_in() {
	whole_pool=$1
	part_pool=$2
	shift 2
	thin_check -q "$part_pool.meta"
	printf '%s\n' "$@" | sort -n >wanted
	ids_of "$part_pool" | sort -n | cmp - wanted
	devices "$part_pool" | sort >devices.part
	devices "$whole_pool" | sort >devices.whole
	[ -z "$(comm -23 devices.part devices.whole)" ]
	sharing "$whole_pool" "$@" >sharing.whole
	sharing "$part_pool" "$@" >sharing.part
	cmp sharing.whole sharing.part
	for id in "$@"; do
		volume_of "$whole_pool" "$id" one
		volume_of "$part_pool" "$id" other
		cmp one other
	done
	looks_shared "$part_pool"
}

# looks_shared NAME: no block that several volumes map looks like one's own, which dm-thin
# would write in place.
looks_shared() {
	thin_dump "$1.meta" | awk -F'"' '
		/<device /	   { snapped = $10 }
		/<range_mapping /  { for (i = 0; i < $6; i++) see($4 + i, $8) }
		/<single_mapping / { see($4, $6) }
		function see(block, time) { users[block]++; shared[block] = snapped > time }
		END {
			for (block in users)
				if (users[block] > 1 && !shared[block])
					exit 1
		}'
}

# used_blocks NAME: distinct data blocks that it maps.
used_blocks() {
	for id in $(ids_of "$1"); do
		mappings_of "$1" "$id"
	done | awk '{ for (i = 0; i < $3; i++) seen[$2 + i] } END { print length(seen) }'
}

chosen_by_id_and_by_name_they_arrive_alone() {
	new_target new 200
	receive_pool new -i whole --volume disk-one --volume 7
	as_in full new 1 7
}

each_volume_arrives_alone() {
	for id in 1 2 7 9 20; do
		new_target new 200
		receive_pool new -i whole --volume $id
		as_in full new $id
		new_target new 200
		cat whole | receive_pool new --volume $id
		as_in full new $id
	done
}

# made FLAGS...: a pool of many volumes as made.*, sent as the file stream, received as all.*
made() {
	rm -f made.*
	"$generate" --data made.data --zeros 20 "$@" made.meta
	send_pool made stream 2>/dev/null
	new_target all $(($(stat -c %s made.data) / 65536))
	receive_pool all -i stream 2>/dev/null
}

# Every other volume, every third, the last: from a file and from a pipe.
volumes_told_from_dropped_ones_arrive() {
	made --mappings 700 --volumes 3 --snapshots 8 --change 10 --discards 30 --deletes 20 --seed 6
	for choice in 'NR % 2' 'NR % 2 == 0' 'NR % 3 == 0' 'NR == 5'; do
		ids=$(ids_of made | awk "$choice")
		set --
		for id in $ids; do
			set -- "$@" --volume "$id"
		done
		new_target new $(($(stat -c %s made.data) / 65536))
		receive_pool new -i stream "$@"
		# shellcheck disable=SC2086
		as_in all new $ids
		new_target new $(($(stat -c %s made.data) / 65536))
		cat stream | receive_pool new "$@"
		# shellcheck disable=SC2086
		as_in all new $ids
	done
}

# From a pipe nobody knows that volume 9 needs none of the blocks that others share.
what_was_written_for_others_is_free_and_told() {
	new_target new 200
	cat whole | receive_pool new --volume 9 --json >told
	[ "$(used_blocks new)" -eq 4 ]
	unused=$(sed 's/.*"unused_bytes":\([0-9]*\).*/\1/' told)
	data=$(sed 's/.*"data_bytes":\([0-9]*\).*/\1/' told)
	zeros=$(sed 's/.*"zero_bytes":\([0-9]*\).*/\1/' told)
	[ "$unused" -gt 0 ]
	[ $((data + zeros - unused)) -eq $((4 * 65536)) ]
	thin_check -q new.meta
	alone=$(thin_ls --no-headers --format DEV,EXCLUSIVE_BLOCKS pool.meta |
		awk '$1 != 9 { sum += $2 } END { print sum }')
	has "\"skipped_bytes\":$((alone * 65536))," told
	new_target new 200
	cat whole | receive_pool new --volume 9 2>said
	has "is of no volume that was chosen, and is free in the new pool" said
}

from_a_file_nothing_is_written_for_others() {
	new_target new 4
	receive_pool new -i whole --volume 9 --json >told
	has '"unused_bytes":0' told
	as_in full new 9
	[ "$(used_blocks new)" -eq 4 ]
}

a_target_too_small_for_a_pipe_leaves_no_pool() {
	new_target new 4
	cat whole >stream
	cat stream | fails 1 "new.data is full" receive_pool new --volume 9
	no_pool new
	new_target new 3
	cat stream | fails 1 "the data needs at least 4 blocks" receive_pool new --volume 9
	fails 1 "the data needs 4 blocks" receive_pool new -i stream --volume 9
}

a_device_id_is_given_anew() {
	new_target new 200
	receive_pool new -i whole --rename 7=12 --rename disk-one=0 --rename 2=1
	thin_check -q new.meta
	ids_of new | xargs >ids
	[ "$(cat ids)" = "0 1 9 12 20" ]
	for pair in 1=0 2=1 7=12 9=9; do
		volume_of full ${pair%=*} one
		volume_of new ${pair#*=} other
		cmp one other
	done
}

two_volumes_change_ids() {
	new_target new 200
	receive_pool new -i whole --rename 1=7 --rename 7=1
	volume_of full 1 one
	volume_of new 7 other
	cmp one other
	thin_check -q new.meta
}

an_id_of_a_dropped_volume_is_free() {
	new_target new 200
	receive_pool new -i whole --volume 7 --rename 7=1
	thin_check -q new.meta
	[ "$(ids_of new)" = 1 ]
	volume_of full 7 one
	volume_of new 1 other
	cmp one other
}

a_new_name_is_told() {
	new_target new 200
	receive_pool new -n --json -i whole --rename disk-one=root --rename 9=swäp >told
	has '"id":1,"stream_id":1,"name":"root"' told
	has '"id":9,"stream_id":9,"name":"swäp"' told
	receive_pool new --json -i whole --rename disk-one=root --rename disk-one=40 >told
	has '"id":40,"stream_id":1,"name":"root"' told
}

# refused STATUS WORDS OPTION...: and the target, which holds a pool, is as before.
refused() {
	cp full.meta new.meta
	cp full.data new.data
	sha256sum new.meta new.data >before
	want=$1
	words=$2
	shift 2
	fails "$want" "$words" receive_pool new -i whole --force "$@"
	cat whole | fails "$want" "$words" receive_pool new --force "$@"
	sha256sum new.meta new.data | cmp - before
}

what_is_not_there_is_refused_beside_what_is() {
	refused 1 "no volume disk-two and no 8; it has" --volume disk-two --volume 1 --volume 8
	has "1 (disk-one)" said
	refused 1 "no volume gone" --rename gone=here
	long=$(printf '%0900d' 7 | tr 0 x)
	refused 1 "has no volume" --volume "$long"
}

what_may_mean_two_is_refused() {
	mv whole kept
	send_pool pool whole --name 1=twin --name 7=twin --name 2=9 2>/dev/null
	refused 1 "has 2 volumes that twin may mean" --volume twin
	refused 1 "has 2 volumes that 9 may mean" --volume 9
	refused 1 "has 2 volumes that twin may mean" --rename twin=one
	mv kept whole
}

what_cannot_be_renamed_is_refused() {
	refused 1 "would both get the device id 7" --rename 1=7
	refused 1 "would both get the device id 5" --rename 1=5 --rename 2=5
	refused 1 "would both be called disk-seven" --rename 1=disk-seven
	refused 1 "a device id is at most 16777215" --rename 1=16777216
	refused 1 "it must be OLD=NEW" --rename 1
	refused 1 "the new name must be text" --rename 1=
	refused 1 "the new name must be text" --rename 1=a/b
	refused 1 "volume 1 is given a device id twice" --rename 1=3 --rename disk-one=4
	refused 1 "1 is not among the volumes that --volume chooses" --volume 7 --rename 1=3
}

a_broken_file_is_found_before_anything_is_written() {
	head -c 2000000 whole >cut
	cp full.meta new.meta
	cp full.data new.data
	fails 1 "cut short" receive_pool new -i cut --force --volume 1
	cmp full.meta new.meta
}

run_tests chosen_by_id_and_by_name_they_arrive_alone \
	each_volume_arrives_alone \
	volumes_told_from_dropped_ones_arrive \
	what_was_written_for_others_is_free_and_told \
	from_a_file_nothing_is_written_for_others \
	a_target_too_small_for_a_pipe_leaves_no_pool \
	a_device_id_is_given_anew \
	two_volumes_change_ids \
	an_id_of_a_dropped_volume_is_free \
	a_new_name_is_told \
	what_is_not_there_is_refused_beside_what_is \
	what_may_mean_two_is_refused \
	what_cannot_be_renamed_is_refused \
	a_broken_file_is_found_before_anything_is_written
