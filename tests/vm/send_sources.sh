#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One pool, four ways to read it, one stream: through the view, directly, from its
# devices when it is not active, from an image of a view.  And what is refused.
# timeout: 300
. "$(dirname "$0")/lib.sh"
needs dmsetup thinexport thin_check thin_dump thin_ls view_image blkdiscard
needs_target thin-pool

id=00112233445566778899aabbccddeeff

[ $EUID -eq 0 ] || skip_all "not root"
metadata=$(disk 16)
data=$(disk 256)

# A pool p with volumes of every kind; v0 and v7 are active.
make_pool() {
	pool p "$metadata" "$data"
	volume p 0 64 v0
	fill /dev/mapper/v0 1 0 24576
	snapshot p 3 0
	fill /dev/mapper/v0 2 2048 6144
	blkdiscard -o 3145728 -l 2097152 /dev/mapper/v0
	snapshot p 4 0
	snapshot p 5 3
	volume p 7 64 v7
	local block
	for ((block = 100; block >= 0; block -= 5)); do
		fill /dev/mapper/v7 3 $((block * 64)) 64
	done
	dd if=/dev/zero of=/dev/mapper/v7 bs=1M seek=20 count=4 oflag=direct status=none
	message p create_thin 9
	# A snapshot whose origin is gone.
	snapshot p 8 7
	fill /dev/mapper/v7 4 0 1024
}

open_pool() {
	pool_open p "$metadata" "$data"
	activate p 0 64 v0
	activate p 7 64 v7
}

# What a live pool's table tells of its active volumes, when it is not active.
told="--pool-name p --name 0=v0 --name 7=v7 --size 0=131072 --size 7=131072"

the_view_gives_what_the_devices_give() {
	make_pool
	load_module || skip "the module dm-thinexport is not built or installed"
	thinexport send --stream-id $id -o "$TE_TMP/viewed" p
	thinexport send --stream-id $id --direct -o "$TE_TMP/direct" p
	cmp "$TE_TMP/viewed" "$TE_TMP/direct"
	thinexport verify "$TE_TMP/direct"
}

an_inactive_pool_gives_it_too() {
	[ -e "$TE_TMP/direct" ] || thinexport send --stream-id $id --direct -o "$TE_TMP/direct" p
	deactivate v0 v7 p
	# shellcheck disable=SC2086
	thinexport send --stream-id $id $told -o "$TE_TMP/inactive" \
		--metadata "$metadata" --data "$data"
	cmp "$TE_TMP/direct" "$TE_TMP/inactive"
	thin_check "$metadata"
}

an_image_of_a_view_gives_it_too() {
	local arguments=() volume
	for volume in $(thin_ls --no-headers -o DEV "$metadata"); do
		case $volume in
		0 | 7) arguments+=("$volume=131072") ;;
		*) arguments+=("$volume") ;;
		esac
	done
	view_image "$metadata" "$data" superblock "${arguments[@]}" >"$TE_TMP/image"
	thinexport send --stream-id $id --pool-name p --name 0=v0 --name 7=v7 \
		-o "$TE_TMP/imaged" "$TE_TMP/image"
	cmp "$TE_TMP/direct" "$TE_TMP/imaged"
	rm "$TE_TMP/image"
}

some_volumes_are_the_same_both_ways() {
	open_pool
	load_module || skip "the module dm-thinexport is not built or installed"
	thinexport send --stream-id $id --volume v0 --volume 3 -o "$TE_TMP/some.viewed" p
	thinexport send --stream-id $id --volume 3 --volume 0 --direct -o "$TE_TMP/some.direct" \
		/dev/mapper/p
	cmp "$TE_TMP/some.viewed" "$TE_TMP/some.direct"
}

what_arrives_is_what_was_frozen() {
	local new_metadata new_data volume
	[ -e /dev/mapper/p ] || open_pool
	new_metadata=$(disk 16)
	new_data=$(disk 256)
	thinexport send p | thinexport receive --metadata "$new_metadata" --data "$new_data"
	thin_check "$new_metadata"
	pool_open q "$new_metadata" "$new_data"
	for volume in 0 3 4 5 7 8; do
		activate p $volume 64 old --readonly
		activate q $volume 64 new --readonly
		cmp /dev/mapper/old /dev/mapper/new
		deactivate old new
	done
	deactivate q
}

an_active_pool_is_not_read_as_an_inactive_one() {
	fails_with "$metadata is in use .by an active pool" \
		thinexport send --metadata "$metadata" --data "$data" -o "$TE_TMP/never"
	[ ! -e "$TE_TMP/never" ]
}

two_senders_of_one_inactive_pool_do_not_meet() {
	deactivate v0 v7 p
	mkfifo "$TE_TMP/pipe"
	# As it is: packed it might all fit into the pipe.
	thinexport send --codec none --metadata "$metadata" --data "$data" >"$TE_TMP/pipe" &
	exec 7<"$TE_TMP/pipe"
	head -c 96 <&7 >/dev/null
	fails_with "is in use" thinexport send --metadata "$metadata" --data "$data" -o "$TE_TMP/never"
	cat <&7 >/dev/null
	exec 7<&-
	wait $!
}

data_that_is_too_short_is_refused_with_both_numbers() {
	dmsetup create short --table "0 262144 linear $data 0"
	later dmsetup remove --retry short
	fails_with 'holds 2048 blocks of 64 KiB, but the metadata says 4096' \
		thinexport send --metadata "$metadata" --data /dev/mapper/short -o "$TE_TMP/never"
	deactivate short
}

an_unreadable_block_ends_the_stream() {
	local at
	thin_dump "$metadata" >"$TE_TMP/dump"
	# The first mapped block there is.
	at=$(sed -nE 's/.*data_(begin|block)="([0-9]*)".*/\2/p' "$TE_TMP/dump" | head -1)
	dmsetup create bad <<-END
	0 $((at * 128 + 8)) linear $data 0
	$((at * 128 + 8)) 8 error
	$((at * 128 + 16)) $(($(size_of "$data") - at * 128 - 16)) linear $data $((at * 128 + 16))
	END
	later dmsetup remove --retry bad
	fails_with 'cannot read .* of /dev/mapper/bad: Input/output error' \
		thinexport send --metadata "$metadata" --data /dev/mapper/bad -o "$TE_TMP/never"
	[ ! -e "$TE_TMP/never" ]
	deactivate bad
}

a_stream_is_not_written_onto_its_own_pool() {
	pool_open p "$metadata" "$data"
	message p create_thin 20
	activate p 20 64 fs
	mkfs.ext4 -q /dev/mapper/fs
	mkdir -p "$TE_TMP/mnt"
	mount /dev/mapper/fs "$TE_TMP/mnt"
	later umount "$TE_TMP/mnt"
	fails_with 'lies on the pool that is to be sent' \
		thinexport send --direct --volume 0 -o "$TE_TMP/mnt/stream" p
	if load_module; then
		fails_with 'lies on the pool that is to be sent' \
			thinexport send --volume 0 -o "$TE_TMP/mnt/stream" p
	fi
	[ ! -e "$TE_TMP/mnt/stream" ]
	if thinexport send --direct --volume 0 p >"$TE_TMP/mnt/stream"; then
		return 1
	fi
	umount "$TE_TMP/mnt"
	deactivate fs p
	thin_check "$metadata"
}

run_tests \
	the_view_gives_what_the_devices_give \
	an_inactive_pool_gives_it_too \
	an_image_of_a_view_gives_it_too \
	some_volumes_are_the_same_both_ways \
	what_arrives_is_what_was_frozen \
	an_active_pool_is_not_read_as_an_inactive_one \
	two_senders_of_one_inactive_pool_do_not_meet \
	data_that_is_too_short_is_refused_with_both_numbers \
	an_unreadable_block_ends_the_stream \
	a_stream_is_not_written_onto_its_own_pool
