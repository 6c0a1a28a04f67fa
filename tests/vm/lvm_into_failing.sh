#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Of a receive into a pool that is there, which is refused, fails or is killed, nothing is
# left in the pool; and that stays usable.
# kernel: 6.1
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lvm.bash"
needs lvm thinexport
needs_target thin-pool linear

# A stream of a volume, thin0, that is told from its snapshot, thin1, which comes first.
begin() {
	! vgs new >/dev/null 2>&1 || return 0
	[ -e "$TE_TMP/stream" ] || source_pool
	group new "$(disk 160)"
	lvm_pool new/pool 64 -Zn
	lvm_volume new/pool mine 8
	fill /dev/new/mine 90 0 4096
	sum /dev/new/mine >"$TE_TMP/mine"
	state >"$TE_TMP/before"
}

source_pool() {
	local metadata data
	metadata=$(disk 4)
	data=$(disk 64)
	pool p "$metadata" "$data"
	volume p 0 24 v0
	dd if=/dev/zero of=/dev/mapper/v0 bs=1M count=24 oflag=direct status=none
	fill /dev/mapper/v0 1 0 4096
	snapshot p 1 0
	fill /dev/mapper/v0 2 0 1024
	sum /dev/mapper/v0 >"$TE_TMP/truth"
	deactivate v0 p
	thinexport send --codec none --metadata "$metadata" --data "$data" \
		--size 0=49152 --size 1=49152 >"$TE_TMP/stream"
}

into() { thinexport receive --into -i "$TE_TMP/stream" "$@"; }

refused() { # refused PATTERN OPTION...
	local pattern=$1
	shift
	fails_with "$pattern" into "$@"
	nothing_has_changed
}

what_cannot_join_changes_nothing() {
	begin
	refused 'new has no pool other; without --into' new/other
	refused 'new/mine is no thin pool: it is of type thin' new/mine
	refused 'there is a volume mine already' --rename 0=mine new/pool
	refused 'LVM counts the device ids' --rename 0=40 new/pool
	refused 'chunks of 64 KiB' --chunk-size 128K new/pool
	head -c 3000000 "$TE_TMP/stream" >"$TE_TMP/cut"
	fails_with 'ends' thinexport receive --into -i "$TE_TMP/cut" new/pool
	nothing_has_changed
}

other_pools_are_refused() {
	local id
	begin
	lvcreate -q -y --type thin-pool -L 32M --poolmetadatasize 4M -c 128k -n other new
	fails_with 'new/other has chunks of 128 KiB, the stream.s pool 64 KiB' into new/other
	lvremove -q -y new/other
	lvm_pool new/other 40
	into -n new/other >&2
	# Nobody extends it where LVM makes no volumes any more.
	mkdir -p "$TE_TMP/lvm"
	{
		cat /etc/lvm/lvm.conf
		echo 'activation/thin_pool_autoextend_threshold = 50'
	} >"$TE_TMP/lvm/lvm.conf"
	fails_with 'new/other is too small: the data needs .* free' \
		env LVM_SYSTEM_DIR="$TE_TMP/lvm" thinexport receive --into -n -i "$TE_TMP/stream" new/other
	lvchange -q -an new/other
	fails_with 'new/other is not active here' into new/other
	fails grep other <(dmsetup ls)
	lvremove -q -y new/other
	id=$(lv_field new/pool transaction_id)
	message new-pool-tpool set_transaction_id "$id" 40
	fails_with 'LVM has transaction id .*, the pool 40' into new/pool
	message new-pool-tpool set_transaction_id 40 "$id"
	nothing_has_changed
}

# A receive that waits for the rest of its stream, one of its volumes half written.
held() {
	rm -f "$TE_TMP/fifo"
	mkfifo "$TE_TMP/fifo"
	exec 7<>"$TE_TMP/fifo"
	# One thread, which reads nothing ahead.
	env --default-signal=INT thinexport receive --threads 1 --into new/pool \
		<"$TE_TMP/fifo" 2>"$TE_TMP/receive" 7>&- &
	head -c 3000000 "$TE_TMP/stream" >&7
	wait_for 20 is_receiving
}
is_receiving() { lvs --noheadings -S tags=thinexport.receiving new | grep -q .; }

release() { # release [SIGNAL]: its status, when it got the signal, or the rest
	local receiver=$! status=0
	# Who only writes does not wait for a reader that is gone.
	exec 8>"$TE_TMP/fifo" 7>&-
	if [ $# -gt 0 ]; then
		# Its stream must not end before it has.
		kill -"$1" $receiver
	else
		tail -c +3000001 "$TE_TMP/stream" >&8 8>&- &
		exec 8>&-
	fi
	wait $receiver || status=$?
	exec 8>&-
	return $status
}

an_interrupted_one_leaves_nothing() {
	begin
	held
	fails release INT
	grep 'interrupted: nothing was received into new/pool; it begins anew' "$TE_TMP/receive"
	nothing_has_changed
}

# Somebody else writes as well: it ends before the pool is full, and that stays usable.
a_pool_that_fills_up_is_left_in_time() {
	begin
	held
	lvm_volume new/pool filler 64
	dd if=/dev/zero of=/dev/new/filler bs=1M count=$(($(free_blocks) / 16 - 3)) oflag=direct status=none
	fails release
	grep 'new/pool fills up' "$TE_TMP/receive"
	fails is_receiving
	dmsetup status new-pool-tpool | grep ' rw '
	dd if=/dev/zero of=/dev/new/filler bs=1M seek=63 count=1 oflag=direct status=none
	lvremove -q -y new/filler
	nothing_has_changed
}
free_blocks() { dmsetup status new-pool-tpool | awk '{ split($6, n, "/"); print n[2] - n[1] }'; }

# At LVM's commands, and while a volume is written.
wherever_it_is_killed_cleanup_removes_it() {
	local at
	begin
	broken_lvm
	for at in 'lvcreate --virtualsize' 'lvcreate --snapshot' 'lvchange --setactivationskip'; do
		echo "killed at $at"
		killed "$at" && return 1
		wait_for 20 thinexport cleanup new/pool
		nothing_has_changed
	done
	held
	fails_with 'another thinexport is at work on this pool' thinexport cleanup new/pool
	release KILL || true
	fails_with 'interrupted receive has left new/thin1: .thinexport cleanup' into new/pool
	thinexport cleanup -n >"$TE_TMP/said"
	cat "$TE_TMP/said"
	[ "$(cat "$TE_TMP/said")" = 'would remove new/thin1' ]
	thinexport cleanup new/pool
	nothing_has_changed
	thinexport cleanup 2>&1 | grep 'nothing to clean up'
}
killed() { with_broken_lvm killed "${1% *}" "${1#* }" thinexport receive --into -i "$TE_TMP/stream" new/pool; }

# Behind the command that says that all has arrived there is nothing to remove any more.
killed_at_the_end_all_has_arrived() {
	begin
	broken_lvm
	killed 'lvchange thinexport.arrived' && return 1
	wait_for 20 has_arrived
	thinexport cleanup -n | grep 'would keep what has arrived, new/thin0$'
	thinexport cleanup new/pool
	fails grep thinexport <(lvs --noheadings -o lv_tags new)
	sum /dev/new/thin0 | diff "$TE_TMP/truth" -
	lvremove -q -y new/thin0 new/thin1
	nothing_has_changed
}
has_arrived() { lvs --noheadings -S tags=thinexport.arrived new | grep -q .; }

run_tests \
	what_cannot_join_changes_nothing \
	other_pools_are_refused \
	an_interrupted_one_leaves_nothing \
	wherever_it_is_killed_cleanup_removes_it \
	killed_at_the_end_all_has_arrived \
	a_pool_that_fills_up_is_left_in_time
