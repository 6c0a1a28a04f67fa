#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A pool that is sent and received is the same pool but for where its blocks lie.
# The judges are thin_check, thin_dump, thin_ls and cksum.
. "${0%/*}/lib.sh"
needs thin_check thin_dump thin_ls split cksum
generate=${te%/*}/thin-generate

# mappings NAME: of a pool's metadata, a line each: device, virtual block, pool block.
mappings() {
	thin_dump "$1.meta" | awk -F'"' '
		/<device / { device = $2 }
		/<single_mapping / { print device, $2, $4 }
		/<range_mapping / { for (i = 0; i < $6; i++) print device, $2 + i, $4 + i }'
}

# sharing NAME: the same with pool blocks numbered as they first occur, so that two
# pools are equal when the same volumes share the same blocks.
sharing() {
	mappings "$1" | awk '!($3 in number) { number[$3] = n++ } { print $1, $2, number[$3] }'
}

# contents NAME BYTES: the same with the sum of the block's bytes.
contents() {
	split -b "$2" --filter=cksum "$1.data" >sums
	mappings "$1" | awk 'NR == FNR { sum[FNR - 1] = $1; next } { print $1, $2, sum[$3] }' sums -
}

# devices NAME: what is told of each but its time of snapshotting.
devices() {
	thin_dump "$1.meta" | sed -n 's/ snap_time="[0-9]*"//; /<device /p'
}

listed() {
	thin_ls --no-headers -o DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS "$1.meta"
}

# room_for NAME FROM: images of the same size as another pool's.
room_for() {
	rm -f "$1.meta" "$1.data"
	truncate -r "$2.meta" "$1.meta"
	truncate -r "$2.data" "$1.data"
}

# same NAME NAME [BYTES]: two pools.
same() {
	thin_check -q "$2.meta"
	for what in devices sharing listed; do
		$what "$1" >"$what.1"
		$what "$2" >"$what.2"
		cmp "$what.1" "$what.2"
	done
	contents "$1" "${3:-65536}" >contents.1
	contents "$2" "${3:-65536}" >contents.2
	cmp contents.1 contents.2
	test -s contents.1
}

# travels OPTION...: a pool that thin-generate makes of these.
travels() {
	rm -f pool.*
	"$generate" --data pool.data --zeros 20 "$@" pool.meta
	thin_check -q pool.meta
	"$te" send --metadata pool.meta --data pool.data >stream
	"$te" verify stream
	room_for copy pool
	"$te" receive -i stream --metadata copy.meta --data copy.data
}

an_origin_with_snapshots_arrives() {
	travels --mappings 500 --volumes 2 --snapshots 6 --change 5 --seed 1
	same pool copy
}

many_snapshots_with_discards_and_deletes_arrive() {
	travels --mappings 400 --volumes 1 --snapshots 30 --change 10 --discards 60 --deletes 40 \
		--scatter 60 --seed 2
	same pool copy
}

volumes_all_over_their_length_arrive() {
	travels --mappings 300 --volumes 3 --snapshots 5 --far --seed 3
	same pool copy
}

blocks_of_any_size_arrive() {
	for sectors in 256 384 3072; do
		travels --mappings 60 --volumes 2 --snapshots 3 --block-sectors $sectors --seed $sectors
		same pool copy $((sectors * 512))
	done
}

# A block of 16 MiB does not fit what is read at once: half of it zero, all, none.
blocks_larger_than_a_buffer_arrive() {
	rm -f pool.*
	truncate -s 4M pool.meta
	cat >pool.xml <<-'END'
	<superblock uuid="" time="1" transaction="1" flags="0" version="2" data_block_size="32768" nr_data_blocks="6">
	 <device dev_id="1" mapped_blocks="4" transaction="0" creation_time="0" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="1" length="4" time="0"/>
	 </device>
	</superblock>
	END
	thin_restore -q -i pool.xml -o pool.meta
	truncate -s 96M pool.data
	head -c 100000 /dev/urandom | dd of=pool.data bs=16777216 seek=1 conv=notrunc status=none
	head -c 9 /dev/urandom | dd of=pool.data bs=1 seek=$((16777216 * 4 - 9)) conv=notrunc status=none
	head -c 16777216 /dev/urandom | dd of=pool.data bs=1M seek=64 conv=notrunc status=none
	"$te" send --metadata pool.meta --data pool.data >stream 2>said
	# Zeros are looked for in what a frame holds: 1 MiB of a block.
	has "18 MiB of data and 46 MiB of zeros" said
	room_for copy pool
	"$te" receive -i stream --metadata copy.meta --data copy.data
	same pool copy 16777216
}

chosen_volumes_arrive_alone() {
	travels --mappings 500 --volumes 3 --snapshots 6 --seed 4
	ids=$(thin_ls --no-headers -o DEV pool.meta | awk 'NR % 2 { print $1 }')
	set --
	for id in $ids; do
		set -- "$@" --volume "$id"
	done
	"$te" send "$@" --metadata pool.meta --data pool.data >stream
	room_for part pool
	"$te" receive -i stream --metadata part.meta --data part.data
	thin_check -q part.meta
	thin_ls --no-headers -o DEV part.meta | awk '{ print $1 }' >got
	printf '%s\n' $ids | cmp - got
	contents pool 65536 | awk -v ids="$ids" '
		BEGIN { n = split(ids, list); for (i = 1; i <= n; i++) wanted[list[i]] = 1 }
		$1 in wanted' >wanted
	contents part 65536 | cmp - wanted
	test -s wanted
}

compressed_streams_arrive() {
	travels --mappings 500 --volumes 2 --snapshots 3 --seed 5
	"$te" send --codec none --metadata pool.meta --data pool.data >plain
	for codec in zlib:1 zstd zstd:9; do
		"$te" send --codec $codec --metadata pool.meta --data pool.data >packed
		test "$(stat -c %s packed)" -lt "$(stat -c %s plain)"
		"$te" verify packed
		"$te" info packed >told
		has "${codec%:*}" told
		room_for copy pool
		"$te" receive -i packed --metadata copy.meta --data copy.data
		same pool copy
	done
}

# Blocks that volumes share at different places, and that one volume has twice.
odd_sharing_arrives_as_copies() {
	rm -f pool.*
	cat >pool.xml <<-'END'
	<superblock uuid="" time="1" transaction="1" flags="0" version="2" data_block_size="128" nr_data_blocks="100">
	 <device dev_id="1" mapped_blocks="30" transaction="0" creation_time="0" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="10" length="30" time="0"/>
	 </device>
	 <device dev_id="2" mapped_blocks="31" transaction="0" creation_time="0" snap_time="1">
	  <range_mapping origin_begin="10" data_begin="10" length="30" time="0"/>
	  <single_mapping origin_block="90" data_block="12" time="0"/>
	 </device>
	 <device dev_id="3" mapped_blocks="30" transaction="0" creation_time="0" snap_time="1">
	  <range_mapping origin_begin="10" data_begin="10" length="30" time="0"/>
	 </device>
	</superblock>
	END
	pool_of pool pool.xml 100
	"$te" send --metadata pool.meta --data pool.data >stream 2>said
	has "1.94 MiB went more than once" said
	room_for copy pool
	"$te" receive -i stream --metadata copy.meta --data copy.data
	thin_check -q copy.meta
	contents pool 65536 >contents.1
	contents copy 65536 | cmp - contents.1
}

a_pool_without_volumes_arrives() {
	rm -f pool.*
	echo '<superblock uuid="" time="0" transaction="1" flags="0" version="2" data_block_size="128" nr_data_blocks="10"></superblock>' >pool.xml
	pool_of pool pool.xml 10
	"$te" send --metadata pool.meta --data pool.data >stream
	room_for copy pool
	"$te" receive -i stream --metadata copy.meta --data copy.data
	thin_check -q copy.meta
	test -z "$(listed copy)"
}

run_tests \
	an_origin_with_snapshots_arrives \
	many_snapshots_with_discards_and_deletes_arrive \
	volumes_all_over_their_length_arrive \
	blocks_of_any_size_arrive \
	blocks_larger_than_a_buffer_arrive \
	chosen_volumes_arrive_alone \
	compressed_streams_arrive \
	odd_sharing_arrives_as_copies \
	a_pool_without_volumes_arrives
