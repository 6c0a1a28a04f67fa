#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The power fails under a passdown: what was flushed through it, or written as FUA, is
# on the disk, also where a write had to wait for a pass.
# timeout: 120
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
. "$(dirname "$0")/power.bash"
needs dmsetup blkdiscard
needs_target delay
needs_module

# The disk takes no discard, and its zeros are written late.
begin() {
	cut=$(disk 8)
	cp "$cut" "$TE_TMP/data"
	record "$TE_TMP/data"
	dmsetup create late --table "0 16384 delay /dev/nbd0 0 0 /dev/nbd0 0 $1"
	later dmsetup remove --retry late
	passdown p /dev/mapper/late stripe 384 zero_fill
}
end() {
	deactivate p late
	end_record
}

# write SEED OFFSET_KIB KIB [FLAG]: past the page cache, and flushed by nobody.
write() {
	truncate -s 8M "$TE_TMP/piece"
	fill "$TE_TMP/piece" "$1" "$2" "$3"
	dd if="$TE_TMP/piece" of=/dev/mapper/p bs=64k skip=$(($2 / 64)) seek=$(($2 / 64)) \
		count=$(($3 / 64)) oflag="direct${4:+,$4}" conv=notrunc status=none
}

# The power fails before flush NUMBER, counted from 0, or at the end: of what was not on
# stable storage nothing is left.
fail_before() {
	local all
	mapfile -t all < <(moments)
	echo "moments: ${all[*]}"
	power_cut "${all[$1]}" 0 "$cut"
}

what_was_flushed_or_written_through_is_on_the_disk() {
	local cut
	begin 0
	# The kernel flushes after a synchronous write, too.
	write 1 0 64 dsync
	write 2 64 64
	sync /dev/mapper/p
	write 3 128 64
	end
	[ "$(moments | wc -l)" -eq 3 ]
	fail_before 0
	holds "$cut" 1 0 64
	fail_before 1
	holds "$cut" 1 0 64
	is_zero "$cut" 64 128
	fail_before 2
	holds "$cut" 1 0 64
	holds "$cut" 2 64 64
	is_zero "$cut" 128 64
}

what_has_waited_is_written_through() {
	local cut
	begin $((1000 * ${TE_SLOW:-1}))
	discard /dev/mapper/p 0 384
	dmsetup message p 0 flush >"$TE_TMP/flushed" &
	wait_for 20 zeros_are_on_their_way
	write 1 0 64 dsync
	has_waited 1
	wait $!
	end
	fail_before 0
	holds "$cut" 1 0 64
}
zeros_are_on_their_way() { [ "$(dmsetup status late | cut -d' ' -f5)" -gt 0 ]; }

run_tests what_was_flushed_or_written_through_is_on_the_disk \
	what_has_waited_is_written_through
