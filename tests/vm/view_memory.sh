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
chosen='3'
log=$TE_TMP/log

# The kernel log goes to a file from here on: it is longer than the kernel's buffer,
# and the kernel's allocators dump their stacks when they fail, which is no report.
follow_log() {
	dmesg --console-level 1
	dmesg --clear
	dmesg --follow >"$log" &
	later kill $!
	later dmesg --console-level 7
}

# Reports in it with two lines before each, but for those stacks.
reports() {
	awk '/kmem_cache_create.* failed with error|page allocation failure|vmalloc error/ { dumped = 1 }
	     /Call Trace:/ && dumped { dumped = 0; next }
	     /Call Trace:|WARNING: |BUG: |KASAN:|UBSAN:|INFO: |refcount_t:|leaked|Oops/ {
		print before_last; print last; print }
	     { before_last = last; last = $0 }' "$log"
}

# What kmemleak found, but for what kmem_cache_create() itself forgets when it fails
# halfway (the name of the cache's kobject, in sysfs_slab_add).
leaks() {
	awk '/^unreferenced object/ { if (!known) printf "%s", object; object = ""; known = 0 }
	     /sysfs_slab_add/ { known = 1 }
	     { object = object $0 "\n" }
	     END { if (!known) printf "%s", object }' $debug/kmemleak
}

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

# Devices by number: device-mapper says "no such device" when it lacks the memory to
# look a path up.
numbers() {
	local device
	for device; do stat -L -c '%Hr:%Lr' "$device"; done
}

arguments() {
	local id
	echo "$(numbers "$metadata" "$data") 0 $(wc -w <<<"$chosen")"
	for id in $chosen; do echo "$id $(numbers "/dev/mapper/pin$id")"; done
}

each_failing_allocation_is_a_clean_error() {
	view_pool
	freeze
	dmsetup create victim --notable
	later dmsetup remove --retry victim
	let_all_allocations_fail
	follow_log
	fail_nth victim 1048576 thinexport "$(arguments | tr '\n' ' ')" >"$TE_TMP/loads"
	tail -n 1 "$TE_TMP/loads"
	[ "$(sed -n 's/^done //p' "$TE_TMP/loads")" -gt 50 ]
	# Nothing but "no memory" may come of having none.
	fails grep -vE '^[0-9]+ (Cannot allocate memory|loaded all the same)$|^done ' "$TE_TMP/loads"
	[ "$(grep -c 'Cannot allocate memory' "$TE_TMP/loads")" -gt 10 ]
}

the_kernel_log_has_no_report() {
	sleep 1
	reports
	[ -z "$(reports)" ]
}

the_target_names_what_it_could_not_have() {
	local words
	for words in 'Cannot allocate the view' 'Cannot allocate the volume table' \
		     'Cannot allocate the bitmaps' "Cannot allocate the bitmaps' directories"; do
		grep -F "thinexport: $words (" "$log"
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
	deactivate pin3 v0 v4 v7 p
	rmmod dm_thinexport
	sleep 6
	echo scan >$debug/kmemleak
	echo scan >$debug/kmemleak
	leaks
	[ -z "$(leaks)" ]
	echo clear >$debug/kmemleak
}

run_tests \
	each_failing_allocation_is_a_clean_error \
	the_kernel_log_has_no_report \
	the_target_names_what_it_could_not_have \
	a_view_made_without_reserves_is_right_all_the_same \
	nothing_leaks
