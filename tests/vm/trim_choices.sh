#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `thinexport trim` as it is asked for and where it must not go on: a rate, all pools,
# metadata that has lost a block, another's guard, a reshape that begins meanwhile, a pool
# that is deactivated; and one that moves from one passdown to another.
# timeout: 480
# kernel: 6.1
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/trim.bash"
needs dmsetup mdadm blkdiscard jq losetup thin_check thin_dump damage thinexport
needs_target thin-pool
needs_module

# A pool t on p, of which half of 48 MiB is a deleted volume's.
half_free() { # half_free [DATA [METADATA]]
	[ $# -gt 1 ] || metadata=$(disk 8)
	pool t "${2:-$metadata}" "${1:-/dev/mapper/p}"
	volume t 0 24 v0
	volume t 1 24 v1
	fill /dev/mapper/v0 1
	fill /dev/mapper/v1 2
	deactivate v1
	message t delete 1
}
end_half_free() {
	holds /dev/mapper/v0 1
	deactivate v0 t
	thin_check -q "$metadata"
}

# The same on half of p, and on its other half a pool u, 8 MiB of 32 in use.
two_pools() { # two_pools [METADATA]
	local other
	passdown p "$(disk 96)" auto
	dmsetup create lower --table "0 131072 linear /dev/mapper/p 0"
	later dmsetup remove --retry lower
	dmsetup create upper --table "0 65536 linear /dev/mapper/p 131072"
	later dmsetup remove --retry upper
	half_free /dev/mapper/lower "$@"
	other=$(disk 8)
	pool u "$other" /dev/mapper/upper
	volume u 0 8 w
	fill /dev/mapper/w 3
}
end_two_pools() {
	end_half_free
	holds /dev/mapper/w 3
	deactivate w u upper lower
}
the_other_pool_is_trimmed() {
	thinexport trim --json u | jq -e '.done and .passed_bytes > 23 * 1048576'
}

# Nor in t, which is activated again.
nothing_is_left_without_t() {
	is p guard -
	nothing_is_left
	the_other_pool_is_trimmed
	pool_open t "$metadata" /dev/mapper/lower
	activate t 0 24 v0
	end_two_pools
	deactivate p
}

# trim_of_t BEGUN: starts one that takes seconds for 40 MiB, until BEGUN succeeds.
trim_of_t() {
	thinexport trim --rate $((8 / ${TE_SLOW:-1}))M --json t >"$TE_TMP/report" 2>"$TE_TMP/said" &
	trim=$!
	wait_for 20 "$1" >/dev/null
}

ms_since() { echo $((($(date +%s%N) - $1) / 1000000)); }

# trim_takes MODE: what a trim of 4 MiB a second passes down in its time.
trim_takes() {
	local disk start free passed
	disk=$(disk 64)
	# Behind the beginning, from which stripes are counted.
	dmsetup create p --table \
		"0 $(($(size_of "$disk") - 128)) thin-passdown $disk 128 $(($# + 2)) stripe 384 $*"
	later dmsetup remove --retry p
	half_free
	free=$(thinexport trim -n --json t | jq .stripes_bytes)
	start=$(date +%s%N)
	thinexport trim --rate 4M --json t >"$TE_TMP/report" &
	# At no time more than so much and a second's, and at the end no less.
	wait_for 20 has_passed_some
	passed=$(($(status p passed) * 192))
	[ $passed -le $((4096 + 4096 * $(ms_since $start) / 1000)) ]
	wait $!
	[ "$(ms_since $start)" -ge $(((free >> 20) * 1000 / 4 - 1500)) ]
	cat "$TE_TMP/report"
	report ".done and .passed_bytes == $free"
	end_half_free
	deactivate p
}

no_more_a_second_goes_down_than_asked_for() {
	trim_takes
	trim_takes auto
	fails_with 'takes bytes' thinexport trim --rate 0 t
}

# What is sent is free whatever becomes of the pool: all that is done there, the guard sees.
it_ends_well_when_its_pool_is_deactivated_meanwhile() {
	local trim
	two_pools
	trim_of_t has_passed_some
	deactivate v0 t
	is p guard guarded
	wait $trim || { cat "$TE_TMP/said"; return 1; }
	[ ! -s "$TE_TMP/said" ]
	report '.done and .sent_bytes == .free_bytes and .passed_bytes == .stripes_bytes'
	nothing_is_left_without_t
}

killed_it_is_cleaned_up_without_its_pool() {
	local trim
	two_pools
	trim_of_t has_passed_some
	kill -9 $trim
	wait $trim || true
	deactivate v0 t
	is p guard guarded
	fails_with 'earlier run .* was interrupted' thinexport trim u
	thinexport cleanup -n | grep 'would end the guard of p'
	thinexport cleanup t
	nothing_is_left_without_t
}

# That is in the pool; the guard is not, and waits for nothing.
killed_with_a_metadata_snapshot_it_is_cleaned_up_when_the_pool_is_there() {
	local trim
	slow_metadata
	two_pools /dev/mapper/slow
	slow_reads 100
	trim_of_t has_frozen_its_moment
	kill -9 $trim
	wait $trim || true
	slow_reads 0
	deactivate v0 t
	is p guard guarded
	fails_with 't is not active, .* metadata snapshot .* activate it' thinexport cleanup
	is p guard -
	is_recorded
	the_other_pool_is_trimmed
	pool_open t /dev/mapper/slow /dev/mapper/lower
	fails_with 'earlier run .* was interrupted' thinexport trim t
	thinexport cleanup t
	nothing_is_left t
	activate t 0 24 v0
	metadata=/dev/mapper/slow
	end_two_pools
	deactivate slow p
}

has_frozen_its_moment() { grep -qs '^phase held' $te_records/t.*.record; }

a_look_at_another_pool_does_not_mind_a_trim_at_work() {
	local trim
	two_pools
	trim_of_t has_passed_some
	thinexport trim -n --json u | jq -e '.free_bytes == 24 * 1048576'
	is p guard guarded
	wait $trim
	report .done
	nothing_is_left u
	the_other_pool_is_trimmed
	end_two_pools
	deactivate p
}

# Three pools, one of them on no passdown and one that cannot be trimmed.
all_are_trimmed_that_can_be() {
	local other
	passdown p "$(disk 64)"
	passdown q "$(disk 32)"
	half_free
	other=$(disk 8)
	pool a "$other" /dev/mapper/q
	volume a 0 16 w
	fill /dev/mapper/w 3
	pool z "$(disk 8)" "$(disk 16)"
	message q guard_begin
	fails_with 'q: its guard is on' thinexport trim --all >"$TE_TMP/shown"
	cat "$TE_TMP/shown"
	grep '^t: 64 MiB, 24 MiB in use' "$TE_TMP/shown"
	fails grep -E '^[az]:' "$TE_TMP/shown"
	[ "$(status p passed)" -ge 640 ]
	is q discards 0
	message q guard_end
	thinexport trim --all >"$TE_TMP/shown"
	grep '^a:' "$TE_TMP/shown"
	[ "$(status q passed)" -ge 256 ]
	fails thinexport trim --all t
	holds /dev/mapper/w 3
	deactivate w a z
	end_half_free
	deactivate p q
	thinexport trim --all 2>&1 | grep 'no active pool lies on a passdown'
}

# Whether a passdown is below is not known of any of these: too many maps, a failed pool.
of_all_those_that_cannot_be_looked_at_are_told() {
	local below=/dev/mapper/q layer bad
	passdown p "$(disk 80)"
	passdown q "$(disk 16)"
	dmsetup create lower --table "0 131072 linear /dev/mapper/p 0"
	later dmsetup remove --retry lower
	half_free /dev/mapper/lower
	for layer in {1..18}; do
		dmsetup create layer$layer --table "0 $(size_of $below) linear $below 0"
		later dmsetup remove --retry layer$layer
		below=/dev/mapper/layer$layer
	done
	pool a "$(disk 8)" $below
	bad=$(disk 8)
	dmsetup create bad --table "0 $(size_of "$bad") linear $bad 0"
	later dmsetup remove --retry bad
	dmsetup create other --table "0 32768 linear /dev/mapper/p 131072"
	later dmsetup remove --retry other
	pool f /dev/mapper/bad /dev/mapper/other
	dmsetup suspend --noflush bad
	dmsetup reload bad --table "0 $(size_of "$bad") error"
	dmsetup resume bad
	# What it commits, or reads again to take it back, fails.
	message f create_thin 0 || true
	wait_for 10 has_failed f
	fails thinexport trim --all --json >"$TE_TMP/report" 2>"$TE_TMP/said"
	cat "$TE_TMP/said"
	grep -q 'a: what its data lies on cannot be found out' "$TE_TMP/said"
	grep -q 'f: the pool has failed' "$TE_TMP/said"
	report '.pool == "t" and .done'
	deactivate f other bad a layer{18..1}
	end_half_free
	deactivate lower p q
}
has_failed() { dmsetup status "$1" | grep -q ' Fail'; }

nothing_is_discarded_when_blocks_are_lost() {
	passdown p "$(disk 64)"
	half_free
	deactivate v0 t
	damage "$metadata" 0 sb-lost-block
	fails_with 'counts 385 blocks in use, its volumes have 384' \
		thinexport trim --metadata "$metadata" --data /dev/mapper/p
	is p discards 0
	is p guard -
	deactivate p
}

# What it had sent is remembered, and goes down when the reshape is over.
a_reshape_that_begins_meanwhile_ends_it() {
	local md trim status=0
	file_disks 0 4 64
	md=$(safe_raid5 te 64 "${members[@]:0:3}")
	passdown p "$md" stripe 256
	half_free
	thinexport trim --rate 2M --json t >"$TE_TMP/report" 2>"$TE_TMP/said" &
	trim=$!
	wait_for 20 has_passed_some
	state_of "$md" sync_speed_max 200
	mdadm --quiet --add "$md" "${members[3]}"
	mdadm --quiet --grow "$md" --raid-devices=4 --backup-file="$TE_TMP/backup"
	wait_for 20 is_reshaping "$md"
	wait $trim || status=$?
	cat "$TE_TMP/said" "$TE_TMP/report"
	[ $status -eq 1 ]
	grep -q 'is being reshaped' "$TE_TMP/said"
	report '.done == false and .due_bytes > 0'
	is_reshaping "$md"
	nothing_is_left t
	is p guard -
	is p errors 0
	fails_with 'is being reshaped' thinexport trim t
	fails_with 'is being reshaped' thinexport trim --all
	state_of "$md" sync_speed_max 1000000
	wait_for 60 is_idle "$md"
	holds /dev/mapper/v0 1
	end_half_free
	deactivate p
	is_consistent "$md"
	mdadm --quiet --stop "$md"
	losetup -d "${members[@]}"
}
has_passed_some() { [ "$(status p passed)" -gt 0 ]; }
is_reshaping() { [ "$(state_of "$1" sync_action)" = reshape ]; }

# Its snapshots with it; and there, too, what is freed goes down.
a_pool_moves_from_one_passdown_to_another() {
	local old new
	array
	old=("$md" "${members[@]}")
	half_free
	snapshot t 2 0
	fill /dev/mapper/v0 4 0 4096
	rm "$TE_TMP"/member*
	file_disks 4 4 64
	md=$(safe_raid5 te2 64 "${members[@]}")
	later mdadm --quiet --stop "$md"
	passdown q "$md" stripe 384
	new=$(disk 8)
	thinexport send t | thinexport receive --metadata "$new" --data /dev/mapper/q
	nothing_is_left t
	fill /dev/mapper/v0 1 0 4096
	end_half_free
	deactivate p
	mdadm --quiet --stop "${old[0]}"
	losetup -d "${old[@]:1}"
	pool_open r "$new" /dev/mapper/q
	dmsetup status r | grep ' discard_passdown'
	activate r 0 24 v0
	activate r 2 24 v2
	holds /dev/mapper/v0 4 0 4096
	holds /dev/mapper/v0 1 4096 20480
	holds /dev/mapper/v2 1
	deactivate v0
	message r delete 0
	before=$(held)
	thinexport trim --json r >"$TE_TMP/report"
	report '.done and .used_bytes == 24 * 1048576 and .passed_bytes == .stripes_bytes'
	# Of the second volume 4 MiB were its own, and a third more is parity.
	[ $((before - $(held))) -ge $((3800 * 1024 * 4 / 3)) ]
	blkdiscard /dev/mapper/v2
	dmsetup message q 0 flush
	[ "$(held)" -le $((4 * 1048576)) ]
	deactivate v2 r q
	thin_check -q "$new"
	is_consistent "$md"
	mdadm --quiet --stop "$md"
	losetup -d "${members[@]}"
}

run_tests \
	no_more_a_second_goes_down_than_asked_for \
	it_ends_well_when_its_pool_is_deactivated_meanwhile \
	killed_it_is_cleaned_up_without_its_pool \
	killed_with_a_metadata_snapshot_it_is_cleaned_up_when_the_pool_is_there \
	a_look_at_another_pool_does_not_mind_a_trim_at_work \
	all_are_trimmed_that_can_be \
	of_all_those_that_cannot_be_looked_at_are_told \
	nothing_is_discarded_when_blocks_are_lost \
	a_reshape_that_begins_meanwhile_ends_it \
	a_pool_moves_from_one_passdown_to_another
