#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What cannot be sent is refused in words, and nothing is left behind.
. "${0%/*}/lib.sh"
needs thin_restore

example_pool pool
cp pool.meta good.meta

# send OPTION...: of the pool's images, to a file that must not come to be.
send() {
	"$te" send -o stream --metadata pool.meta --data pool.data "$@"
}

refused() {
	wanted_status=$1
	wanted_words=$2
	shift 2
	fails "$wanted_status" "$wanted_words" "$@"
	not ls stream* 2>/dev/null
}

# number_at FILE OFFSET BYTES [NUMBER]: reads one, or puts one there, little-endian.
number_at() {
	if [ $# -eq 3 ]; then
		od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
		return
	fi
	value=$4
	byte=0
	while [ $byte -lt "$3" ]; do
		printf "\\$(printf %o $((value % 256)))"
		value=$((value / 256))
		byte=$((byte + 1))
	done | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

a_file_that_is_not_there_is_named() {
	refused 1 "cannot open nowhere: No such file" "$te" send -o stream --metadata nowhere --data pool.data
	refused 1 "cannot open nowhere: No such file" "$te" send -o stream --metadata pool.meta --data nowhere
}

what_is_no_device_and_no_file_is_refused() {
	refused 1 "is neither a block device nor a file" "$te" send -o stream --metadata /dev/null --data pool.data
	refused 1 "is neither a block device nor a file" "$te" send -o stream --metadata pool.meta --data .
}

random_bytes_are_no_metadata() {
	refused 1 "pool.data: metadata block 0: Not a thin pool's metadata" \
		"$te" send -o stream --metadata pool.data --data pool.meta
	: >empty
	refused 1 "empty is too small to be a pool's metadata" \
		"$te" send -o stream --metadata empty --data pool.data
}

metadata_and_data_must_differ() {
	refused 1 "are the same" "$te" send -o stream --metadata pool.meta --data pool.meta
	ln -s pool.meta link
	refused 1 "are the same" "$te" send -o stream --metadata pool.meta --data link
}

data_shorter_than_the_metadata_says_is_refused_with_both_numbers() {
	head -c $((199 * 65536 + 65535)) pool.data >short
	refused 1 "short holds 199 blocks of 64 KiB, but the metadata says 200" \
		"$te" send -o stream --metadata pool.meta --data short
}

an_unknown_volume_is_named() {
	refused 1 "pool.meta has no volume 3" send --volume 3
	refused 1 "pool.meta has no volume root" send --volume 1 --volume root
	refused 1 "pool.meta has no volume 16777216" send --volume 16777216
}

wrong_sizes_and_names_are_refused() {
	refused 1 "--size 3=2048" send --size 3=2048
	refused 1 "--size 1:2048: it must start with a device id" send --size 1:2048
	refused 1 "--size 1=big: the size must be a number of sectors" send --size 1=big
	refused 1 "--size 1=0: the size must be" send --size 1=0
	refused 1 "--size 1=12800: the volume has blocks up to sector 12928" send --size 1=12800
	refused 1 "--name 3=x" send --name 3=x
	refused 1 "--name 1=: the name is empty" send --name 1=
}

wrong_options_are_usage_errors() {
	refused 2 "no such codec" send --codec lzma
	refused 2 "the levels of zstd are 1 to 19" send --codec zstd:20
	refused 2 "--stream-id takes 32 hexadecimal digits" send --stream-id 1234
	refused 2 "--window-limit takes" send --window-limit 0
	refused 2 "Usage:" "$te" send
	refused 2 "Usage:" "$te" send --metadata pool.meta
	refused 2 "Usage:" "$te" send --metadata pool.meta --data pool.data pool
}

a_file_that_is_no_view_is_refused() {
	refused 1 "pool.data is a file, but no image of a view" "$te" send -o stream pool.data
}

# spoiled OFFSET BYTES NUMBER WORDS: a number of the superblock's, checksum not mended.
spoiled() {
	cp good.meta pool.meta
	number_at pool.meta "$1" "$2" "$3"
	refused 1 "$4" send
	cp good.meta pool.meta
}

a_damaged_superblock_is_told_from_none() {
	spoiled 32 8 27022011 "Not a thin pool's metadata"
	spoiled 8 8 5 "Superblock has a wrong block number (found 5, wanted 0)"
	spoiled 40 4 9 "Superblock has a wrong checksum"
	spoiled 48 8 99 "Superblock has a wrong checksum"
}

damage_below_is_found_before_a_byte_is_written() {
	cp good.meta pool.meta
	# Every block but the superblock that is a btree node, one at a time.
	found=0
	for block in $(seq 1 40); do
		[ "$(number_at good.meta $((block * 4096 + 8)) 8)" -eq "$block" ] || continue
		[ "$(number_at good.meta $((block * 4096 + 4)) 4)" -le 2 ] || continue
		number_at pool.meta $((block * 4096 + 2000)) 8 123456789
		if ! send 2>said; then
			found=$((found + 1))
			has "metadata block $block: Metadata block has a wrong checksum" said
			[ ! -e stream ]
		fi
		rm -f stream
		cp good.meta pool.meta
	done
	# Two top levels and the trees of four volumes at least.
	[ $found -ge 6 ]
}

a_metadata_device_that_ends_early_is_refused() {
	head -c $((2 * 4096)) good.meta >cut.meta
	refused 1 "cut.meta" "$te" send -o stream --metadata cut.meta --data pool.data
}

a_pool_that_needs_a_check_is_sent_with_a_warning() {
	command -v python3 >/dev/null || skip "no python3 to mend a checksum with"
	python3 - good.meta check.meta <<-'END'
	import struct, sys
	data = bytearray(open(sys.argv[1], "rb").read())
	struct.pack_into("<I", data, 4, 1)
	crc = 0xffffffff
	for byte in data[4:4096]:
	    crc ^= byte
	    for _ in range(8):
	        crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
	struct.pack_into("<I", data, 0, crc ^ 160774)
	open(sys.argv[2], "wb").write(data)
	END
	"$te" send --metadata check.meta --data pool.data >whole 2>said
	has "warning: check.meta: the pool wants thin_check to be run" said
	"$te" verify whole
}

a_locked_image_is_refused() {
	command -v flock >/dev/null || skip "no flock"
	refused 1 "pool.data is locked: another program is writing it" \
		flock -x pool.data "$te" send -o stream --metadata pool.meta --data pool.data
}

an_image_below_a_loop_device_is_refused() {
	loop=$(losetup -f --show pool.data 2>/dev/null) || skip "no loop device"
	refused 1 "is attached to $loop" send || { losetup -d "$loop"; return 1; }
	losetup -d "$loop"
}

run_tests \
	a_file_that_is_not_there_is_named \
	what_is_no_device_and_no_file_is_refused \
	random_bytes_are_no_metadata \
	metadata_and_data_must_differ \
	data_shorter_than_the_metadata_says_is_refused_with_both_numbers \
	an_unknown_volume_is_named \
	wrong_sizes_and_names_are_refused \
	wrong_options_are_usage_errors \
	a_file_that_is_no_view_is_refused \
	a_damaged_superblock_is_told_from_none \
	damage_below_is_found_before_a_byte_is_written \
	a_metadata_device_that_ends_early_is_refused \
	a_pool_that_needs_a_check_is_sent_with_a_warning \
	a_locked_image_is_refused \
	an_image_below_a_loop_device_is_refused
