#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every allocation of the view's constructor and of its walk fails once, each in a
# load of its own: a clean error, and nothing leaks.  Needs a debug kernel.
# timeout: 200
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/view.bash"
needs dmsetup fail_nth pattern random_reads view_image
needs_target thin-pool
debug=/sys/kernel/debug
[ -e $debug/failslab ] && [ -e /proc/self/fail-nth ] || skip_all "a kernel without failslab"
needs_module

metadata=$(disk 8) && data=$(disk 192) || exit 1

# Also what may sleep, and single pages as well as slabs; no words about each.
let_all_allocations_fail() {
	local kind
	for kind in failslab fail_page_alloc; do
		[ -e $debug/$kind ] || continue
		echo N >$debug/$kind/ignore-gfp-wait
		echo 0 >$debug/$kind/verbose
	done
	[ ! -e $debug/fail_page_alloc ] || echo 0 >$debug/fail_page_alloc/min-order
}

each_failing_allocation_is_a_clean_error() {
	view_pool
	freeze
	dmsetup create victim --notable
	later dmsetup remove --retry victim
	let_all_allocations_fail
	dmesg -c >/dev/null
	fail_nth victim 1048576 thinexport "$metadata $data 0 $(pinned $chosen)" >"$TE_TMP/loads"
	tail -n 1 "$TE_TMP/loads"
	[ "$(sed -n 's/^done //p' "$TE_TMP/loads")" -gt 50 ]
	# Nothing but "no memory" may come of having none.
	fails grep -vE '^[0-9]+ (Cannot allocate memory|loaded all the same)$|^done ' "$TE_TMP/loads"
	[ "$(grep -c 'Cannot allocate memory' "$TE_TMP/loads")" -gt 10 ]
}

the_target_names_what_it_could_not_have() {
	local words
	for words in 'Cannot allocate the view' 'Cannot allocate the volume table' \
		     'Cannot allocate the bitmaps' "Cannot allocate the bitmaps' directories" \
		     'Not enough memory'; do
		dmesg | grep -F "thinexport: $words (-ENOMEM)"
	done
}

a_view_made_without_reserves_is_right_all_the_same() {
	deactivate victim
	view view 0 "$(pinned $chosen)"
	image "$TE_TMP/image" held $chosen
	random_reads /dev/mapper/view "$TE_TMP/image" 100 9
	deactivate view
}

nothing_leaks() {
	deactivate pin0 pin3 pin7 pin9 v0 v4 v7 p
	rmmod dm_thinexport
	sleep 6
	echo scan >$debug/kmemleak
	echo scan >$debug/kmemleak
	cat $debug/kmemleak
	[ -z "$(cat $debug/kmemleak)" ]
}

run_tests \
	each_failing_allocation_is_a_clean_error \
	the_target_names_what_it_could_not_have \
	a_view_made_without_reserves_is_right_all_the_same \
	nothing_leaks
