#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# A pool, and then some volumes of it, is received onto a RAID5 and put to use: the
# kernel activates it, and what is written to one volume never shows in another.
. "$(dirname "$0")/lib.sh"
needs dmsetup mdadm thin_check thin_dump thin_ls fio thinexport
needs_target thin-pool

# Of the source pool:	id	what it is
#			0	written, part of it written again
#			1	its snapshot, from before that
#			2	a snapshot of 1, with some of its own
#			5	snapshot of a volume that was deleted
#			6	another of the same
#			8	with a hole, scattered
#			9	never written
ids='0 1 2 5 6 8 9'
volume_mib=24
names=
for id in $ids; do names+=" r$id"; done

source_pool() {
	local metadata data block
	metadata=$(disk 8)
	data=$(disk 160)
	pool p "$metadata" "$data"
	volume p 0 $volume_mib v0
	fill /dev/mapper/v0 1 0 16384
	snapshot p 1 0
	fill /dev/mapper/v0 2 2048 4096
	activate p 1 $volume_mib v1
	snapshot p 2 1
	activate p 2 $volume_mib v2
	fill /dev/mapper/v2 3 20480 1024
	fill /dev/mapper/v2 4 1024 64
	volume p 4 $volume_mib v4
	fill /dev/mapper/v4 5 0 8192
	snapshot p 5 4
	fill /dev/mapper/v4 6 1024 1024
	snapshot p 6 4
	deactivate v4
	message p delete 4
	volume p 8 $volume_mib v8
	for ((block = 120; block >= 0; block -= 2)); do
		fill /dev/mapper/v8 7 $((block * 64)) 64
	done
	blkdiscard -o 1048576 -l 1048576 /dev/mapper/v8
	message p create_thin 9
	for id in 5 6 9; do activate p $id $volume_mib v$id; done
	for id in $ids; do sum /dev/mapper/v$id | tee "$TE_TMP/sent$id" >"$TE_TMP/sum$id"; done
	deactivate v0 v1 v2 v5 v6 v8 v9 p
	thin_check -q "$metadata"
	thin_ls --no-headers --format DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS \
		"$metadata" >"$TE_TMP/ls"
	echo "$metadata" >"$TE_TMP/source.metadata"
	echo "$data" >"$TE_TMP/source.data"
	thinexport send --metadata "$metadata" --data "$data" -o "$TE_TMP/stream"
}

activate_all() {
	pool_open r "$(cat "$TE_TMP/metadata")" "$(cat "$TE_TMP/data")"
	local id
	for id in $ids; do activate r $id $volume_mib r$id; done
}

# All volumes but those named are as they were at the last note.
others_are_unchanged() {
	local id
	for id in $ids; do
		[[ " $* " == *" $id "* ]] && continue
		[ "$(sum /dev/mapper/r$id)" = "$(cat "$TE_TMP/sum$id")" ] && continue
		echo "volume $id has changed"
		return 1
	done
}

note() { sum /dev/mapper/r$1 >"$TE_TMP/sum$1"; }

a_pool_arrives_on_a_raid5() {
	local md
	source_pool
	md=$(raid5 te 64 $(disk 64) $(disk 64) $(disk 64) $(disk 64))
	disk 8 >"$TE_TMP/metadata"
	echo "$md" >"$TE_TMP/data"
	thinexport receive -i "$TE_TMP/stream" --metadata "$(cat "$TE_TMP/metadata")" --data "$md"
	thin_check -q "$(cat "$TE_TMP/metadata")"
	thin_ls --no-headers --format DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS \
		"$(cat "$TE_TMP/metadata")" | diff "$TE_TMP/ls" -
}

the_kernel_activates_it_and_every_volume_is_the_one_sent() {
	activate_all
	others_are_unchanged
	# Reading provisions nothing.
	deactivate $names r
	thin_check -q "$(cat "$TE_TMP/metadata")"
}

write_all_over_each_volume() {
	local id seed=100
	for id in $ids; do
		seed=$((seed + 1))
		# First here and there, so that blocks are shared and copied in part.
		fio --name=w --filename=/dev/mapper/r$id --rw=randwrite --bs=4k --io_size=2m \
			--direct=1 --randseed=$seed --minimal >/dev/null
		fill /dev/mapper/r$id $seed 0 $((volume_mib * 512))
		holds /dev/mapper/r$id $seed 0 $((volume_mib * 512))
		others_are_unchanged $id
		note $id
	done
}

writing_all_over_one_volume_leaves_the_others_as_they_were() {
	activate_all
	write_all_over_each_volume
	deactivate $names r
	thin_check -q "$(cat "$TE_TMP/metadata")"
}

snapshots_of_received_volumes_keep_what_these_had() {
	activate_all
	snapshot r 20 2
	snapshot r 21 20
	fill /dev/mapper/r2 200 4096 4096
	activate r 20 $volume_mib s20
	activate r 21 $volume_mib s21
	[ "$(sum /dev/mapper/s20)" = "$(cat "$TE_TMP/sum2")" ]
	fill /dev/mapper/s20 201 0 8192
	[ "$(sum /dev/mapper/s21)" = "$(cat "$TE_TMP/sum2")" ]
	others_are_unchanged 2
	note 2
	deactivate s20 s21 $names r
	thin_check -q "$(cat "$TE_TMP/metadata")"
}

# Anew, from standard input, so that the counts are ours and not the kernel's.
receive_again() {
	thinexport receive --force --metadata "$(cat "$TE_TMP/metadata")" \
		--data "$(cat "$TE_TMP/data")" "$@"
}

# The kernel takes back each reference it finds in the trees: too few counted and it
# would complain, too many and blocks would stay in use.
every_block_is_given_back() {
	local id used
	dmesg | wc -l >"$TE_TMP/log"
	pool_open r "$(cat "$TE_TMP/metadata")" "$(cat "$TE_TMP/data")"
	used=$(dmsetup status r | awk '{ sub("/.*", "", $6); print $6 }')
	[ "$used" -gt 0 ]
	for id in $ids; do message r delete $id; done
	dmsetup status r
	used=$(dmsetup status r | awk '{ sub("/.*", "", $6); print $6 }')
	[ "$used" -eq 0 ]
	deactivate r
	thin_check -q "$(cat "$TE_TMP/metadata")"
	! dmesg | tail -n +"$(cat "$TE_TMP/log")" | grep -iE 'space map|btree|ref.?count'
}

deleting_every_volume_gives_back_every_block() {
	receive_again <"$TE_TMP/stream"
	every_block_is_given_back
}

# Volumes 1, 2 and 6, whose parents stay out, from a pipe; 6 becomes 40.
chosen_volumes_are_as_separate_as_all() {
	local ids='1 2 40' names='r1 r2 r40'
	cat "$TE_TMP/stream" | receive_again --volume 2 --volume 6 --volume 1 --rename 6=40
	thin_check -q "$(cat "$TE_TMP/metadata")"
	cp "$TE_TMP/sent1" "$TE_TMP/sum1"
	cp "$TE_TMP/sent2" "$TE_TMP/sum2"
	cp "$TE_TMP/sent6" "$TE_TMP/sum40"
	activate_all
	others_are_unchanged
	write_all_over_each_volume
	deactivate $names r
	thin_check -q "$(cat "$TE_TMP/metadata")"
	cat "$TE_TMP/stream" | receive_again --volume 2 --volume 6 --volume 1 --rename 6=40
	every_block_is_given_back
}

run_tests \
	a_pool_arrives_on_a_raid5 \
	the_kernel_activates_it_and_every_volume_is_the_one_sent \
	writing_all_over_one_volume_leaves_the_others_as_they_were \
	snapshots_of_received_volumes_keep_what_these_had \
	deleting_every_volume_gives_back_every_block \
	chosen_volumes_are_as_separate_as_all
