#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What dump, info and verify tell of a whole stream; thin_ls judges the figures.
. "${0%/*}/lib.sh"
needs thin_restore thin_ls

example_pool pool
send_pool pool whole --name 1=disk-one --pool-name vms-pool --size 9=600000 2>/dev/null
send_pool pool packed --codec zlib:3 2>/dev/null

every_line_fits_80_columns() {
	for verb in dump info verify; do
		"$te" $verb whole >listing
		narrow listing
		"$te" $verb packed >listing
		narrow listing
	done
}

every_line_of_json_is_json() {
	command -v python3 >/dev/null || skip "no python3"
	for stream in whole packed; do
		"$te" dump --json $stream >lines
		"$te" info --json $stream >>lines
		python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' <lines
	done
}

a_pipe_and_a_dash_are_read() {
	"$te" verify whole | sed 1d >from_file
	cat whole | "$te" verify | sed 1d | cmp - from_file
	cat whole | "$te" verify - | sed 1d | cmp - from_file
}

info_names_volumes_pool_and_codec() {
	"$te" info whole >listing
	has "disk-one" listing
	has "pool     vms-pool" listing
	has "200 blocks of 64 KiB, transaction 9" listing
	"$te" info packed >listing
	has "by zlib" listing
}

a_size_nobody_knows_is_marked() {
	"$te" info whole >listing
	grep -q '^ *9  293 MiB ' listing
	grep -q '^ *1 ~' listing
	has "~ at least" listing
}

# In sectors from info --json, in blocks of 128 sectors from thin_ls.
mapped_shared_and_exclusive_are_those_of_thin_ls() {
	thin_ls --no-headers --format DEV,MAPPED_BLOCKS,SHARED_BLOCKS,EXCLUSIVE_BLOCKS \
		pool.meta >reference
	awk '{ print $1, $2, $3, $4 }' reference >wanted
	"$te" info --json whole | tr '{' '\n' | sed -n \
		's/^"id":\([0-9]*\),.*"provisioned_sectors":\([0-9]*\),"shared_sectors":\([0-9]*\),"exclusive_sectors":\([0-9]*\).*/\1 \2 \3 \4/p' |
		awk '{ print $1, $2 / 128, $3 / 128, $4 / 128 }' >listed
	[ "$(wc -l <wanted)" -eq 5 ]
	diff wanted listed
}

dump_has_a_line_for_each_op() {
	"$te" dump packed >listing
	ops=$("$te" info --json packed | sed 's/.*"ops":\([0-9]*\).*/\1/')
	[ "$(grep -cE '^    (DATA|ZERO|SHARE|UNMAP) ' listing)" -eq "$ops" ]
	[ "$("$te" dump --json packed | grep -c '^{"op":')" -eq "$ops" ]
}

control_characters_of_names_do_not_reach_the_terminal() {
	send_pool pool evil --name "1=$(printf 'a\033[2Jb')" 2>/dev/null
	for verb in dump info; do
		"$te" $verb evil >listing
		has 'a?[2Jb' listing
		not grep -q "$(printf '\033')" listing
	done
}

a_long_name_is_cut_in_the_table_and_whole_in_json() {
	long=$(printf '%0120d' 7)
	send_pool pool long --name "1=$long" 2>/dev/null
	"$te" info long >listing
	narrow listing
	has '0...' listing
	"$te" info --json long >listing
	has "$long" listing
}

run_tests every_line_fits_80_columns \
	every_line_of_json_is_json \
	a_pipe_and_a_dash_are_read \
	info_names_volumes_pool_and_codec \
	a_size_nobody_knows_is_marked \
	mapped_shared_and_exclusive_are_those_of_thin_ls \
	dump_has_a_line_for_each_op \
	control_characters_of_names_do_not_reach_the_terminal \
	a_long_name_is_cut_in_the_table_and_whole_in_json
