#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stream compared with pools that hold the same, and with pools that nearly do.
. "${0%/*}/lib.sh"
needs thin_restore thin_ls

example_pool pool
send_pool pool stream 2>/dev/null

# same STREAM POOL
same() {
	"$te" verify "$1" --metadata "$2.meta" --data "$2.data" >listing
	has "the same as $2.meta" listing
	narrow listing
}

# differs STREAM POOL LINE: exit status 1, and this line of the listing.
differs() {
	got=0
	"$te" verify "$1" --metadata "$2.meta" --data "$2.data" >listing 2>said || got=$?
	cat said
	[ $got -eq 1 ]
	has "$3" listing
	has "are not the same in $2.meta" said
	narrow listing
}

# changed NAME SED: the example's metadata, changed, over the same data.
changed() {
	example_xml | sed "$2" >"$1.xml"
	cp pool.data "$1.data"
	truncate -s 4M "$1.meta"
	thin_restore -q -i "$1.xml" -o "$1.meta" >/dev/null
}

# received NAME STREAM
received() {
	truncate -s 4M "$1.meta"
	truncate -s 20M "$1.data"
	"$te" receive -i "$2" --metadata "$1.meta" --data "$1.data"
}

the_pool_it_was_made_from_is_the_same() {
	same stream pool
}

a_pool_it_was_received_into_is_the_same() {
	received copy stream
	same stream copy
}

# Volumes of several leaves, most of which are equal: thin_restore writes each
# volume's own, receive shares them, so that the copy's stream has parents.
wide_xml() {
	cat <<-'END'
	<superblock uuid="" time="1" transaction="2" flags="0" version="2" data_block_size="128" nr_data_blocks="1100">
	 <device dev_id="1" mapped_blocks="1000" transaction="0" creation_time="0" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="0" length="1000" time="0"/>
	 </device>
	 <device dev_id="2" mapped_blocks="1000" transaction="1" creation_time="1" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="0" length="500" time="0"/>
	  <range_mapping origin_begin="500" data_begin="1000" length="5" time="1"/>
	  <range_mapping origin_begin="505" data_begin="505" length="495" time="0"/>
	 </device>
	 <device dev_id="3" mapped_blocks="988" transaction="1" creation_time="1" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="0" length="500" time="0"/>
	  <range_mapping origin_begin="502" data_begin="1002" length="3" time="1"/>
	  <range_mapping origin_begin="505" data_begin="505" length="484" time="0"/>
	  <single_mapping origin_block="989" data_block="1010" time="1"/>
	 </device>
	</superblock>
	END
}

wide_pool() {
	wide_xml | sed "$2" >"$1.xml"
	truncate -s 4M "$1.meta"
	thin_restore -q -i "$1.xml" -o "$1.meta" >/dev/null
	[ -e wide_data ] || head -c 13000000 /dev/urandom >wide_data
	cp wide_data "$1.data"
	dd if=wide_data of="$1.data" bs=64k seek=990 count=110 conv=notrunc status=none
	truncate -s $((1100 * 65536)) "$1.data"
}

a_stream_of_the_copy_is_the_same_as_the_first_pool() {
	wide_pool wide ''
	send_pool wide first
	truncate -s 4M again.meta
	truncate -s 80M again.data
	"$te" receive -i first --metadata again.meta --data again.data
	send_pool again second --codec zlib
	"$te" dump second >listing
	has "parent: volume" listing
	has "UNMAP" listing
	same first again
	same second wide
	same second again
}

a_range_left_out_is_compared_with_the_parent() {
	# Volume 1's block 300 lies elsewhere, with the same bytes, in one of the three.
	for id in 1 2 3; do
		wide_pool moved "/dev_id=\"$id\"/,/<.device>/s|<range_mapping origin_begin=\"0\" data_begin=\"0\" length=\"\([150]*\)\".*|<range_mapping origin_begin=\"0\" data_begin=\"0\" length=\"300\" time=\"0\"/><single_mapping origin_block=\"300\" data_block=\"1090\" time=\"0\"/><range_mapping origin_begin=\"301\" data_begin=\"301\" length=\"@\1@\" time=\"0\"/>|
			s/@1000@/699/; s/@500@/199/"
		dd if=moved.data of=moved.data bs=64k skip=300 seek=1090 count=1 conv=notrunc status=none
		differs second moved "sectors 38400 to 38528 are not"
	done
}

some_volumes_of_a_pool_are_the_same_as_it() {
	send_pool pool some --volume 2 --volume 9
	same some pool
	has "3 volumes of pool.meta are not in the stream" listing
}

an_altered_sector_of_data_is_named() {
	changed data ''
	printf x | dd of=data.data bs=512 seek=$((49 * 128 + 5)) conv=notrunc status=none
	differs stream data "volume 2: sectors 6277 to 6278 hold something else"
}

an_altered_zero_is_named() {
	changed zero ''
	printf x | dd of=zero.data bs=512 seek=$((45 * 128 + 127)) conv=notrunc status=none
	differs stream zero "volume 2: sectors 5887 to 5888 hold something else"
}

a_missing_volume_is_named() {
	changed missing '/dev_id="9"/,/<.device>/d'
	differs stream missing "volume 9: is not in missing.meta"
}

a_missing_mapping_is_named() {
	changed fewer '/origin_block="4000"/d; s/mapped_blocks="4"/mapped_blocks="3"/'
	differs stream fewer "volume 9: sectors 512000 to 512128 are not provisioned"
}

# one_more BLOCK DATA_BLOCK AFTER: volume 9 maps it as well, behind its block AFTER.
one_more() {
	line="<single_mapping origin_block=\"$1\" data_block=\"$2\" time=\"0\"/>"
	changed more "/origin_block=\"$3\"/s|\$|$line|; s/mapped_blocks=\"4\"/mapped_blocks=\"5\"/"
	differs stream more "volume 9: sectors $(($1 * 128)) to $(($1 * 128 + 128)) are provisioned, and not in"
}

a_mapping_too_many_is_named() {
	one_more 11 65 9
	one_more 4001 65 4000
	one_more 90000 65 4000
	# Here it goes on just where the op's blocks end, in the pool as well.
	one_more 10 62 9
}

a_copy_where_blocks_were_shared_is_named() {
	changed unshared '/dev_id="7"/,/<.device>/s/origin_begin="0" data_begin="0"/origin_begin="0" data_begin="70"/'
	dd if=pool.data of=unshared.data bs=64k count=40 seek=70 conv=notrunc status=none
	differs stream unshared "are not shared as in the stream"
}

blocks_shared_that_were_not_are_named() {
	# Two volumes get the same bytes at the same place, in a block each ...
	changed apart 's/data_block="61"/data_block="62"/'
	dd if=apart.data of=apart.data bs=64k count=1 skip=9 seek=62 conv=notrunc status=none
	send_pool apart stream_apart
	same stream_apart apart
	# ... and then in one.
	cp apart.data together.data
	sed 's/data_block="62"/data_block="9"/' apart.xml >together.xml
	truncate -s 4M together.meta
	thin_restore -q -i together.xml -o together.meta >/dev/null
	differs stream_apart together "volume 9: 4 blocks, 3 exclusive; in the stream 4, 4"
}

a_long_name_leaves_lines_short() {
	long=$(printf '%060d' 7)
	changed "$long" '/dev_id="9"/,/<.device>/d'
	differs stream "$long" "volume 9: is not in 0000"
	cp pool.meta "$long.meta"
	"$te" verify stream --metadata "$long.meta" --data "$long.data" >listing
	narrow listing
}

many_differing_ranges_are_cut_short() {
	changed scattered ''
	for block in $(seq 0 39); do
		printf x | dd of=scattered.data bs=64k seek="$block" conv=notrunc status=none
	done
	differs stream scattered "ranges more"
	[ "$(grep -c 'hold something else' listing)" -eq 16 ]
}

a_pool_of_another_block_size_is_refused() {
	changed larger 's/data_block_size="128"/data_block_size="256"/; s/nr_data_blocks="200"/nr_data_blocks="100"/
		/origin_block="3"/s/199/99/; s/data_begin="1[25]0"/data_begin="60"/; s/data_block="1[37][09]"/data_block="61"/'
	truncate -s 20M larger.data
	fails 1 "only the same can be compared" "$te" verify stream \
		--metadata larger.meta --data larger.data
}

a_damaged_stream_is_an_error_and_no_difference() {
	head -c 2000000 stream >cut
	fails 1 "cut short" "$te" verify cut --metadata pool.meta --data pool.data
}

a_source_that_is_not_there_is_named() {
	fails 1 "nowhere" "$te" verify stream --metadata nowhere --data pool.data
	fails 2 "Usage" "$te" verify stream --metadata pool.meta
	fails 2 "Usage" "$te" verify stream --against x --metadata pool.meta --data pool.data
}

info_of_the_pool_has_the_figures_of_info_of_the_stream() {
	"$te" info --json stream | sed 's/.*"volumes":/"volumes":/' >of_stream
	"$te" info --json --metadata pool.meta --data pool.data |
		sed 's/.*"volumes":/"volumes":/' >of_pool
	cmp of_stream of_pool
}

run_tests the_pool_it_was_made_from_is_the_same \
	a_pool_it_was_received_into_is_the_same \
	a_stream_of_the_copy_is_the_same_as_the_first_pool \
	a_range_left_out_is_compared_with_the_parent \
	some_volumes_of_a_pool_are_the_same_as_it \
	an_altered_sector_of_data_is_named \
	an_altered_zero_is_named \
	a_missing_volume_is_named \
	a_missing_mapping_is_named \
	a_mapping_too_many_is_named \
	a_copy_where_blocks_were_shared_is_named \
	blocks_shared_that_were_not_are_named \
	a_long_name_leaves_lines_short \
	many_differing_ranges_are_cut_short \
	a_pool_of_another_block_size_is_refused \
	a_damaged_stream_is_an_error_and_no_difference \
	a_source_that_is_not_there_is_named \
	info_of_the_pool_has_the_figures_of_info_of_the_stream
