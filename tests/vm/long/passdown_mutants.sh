#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests of thin-passdown find a target that lets writes pass discards in flight, one
# whose guard keeps nothing, and one that wants no guard: with each in its place they fail.
# The modules are made by tests/mutants, and come in TE_MUTANTS.
# timeout: 900
. "$(dirname "$0")/../lib.sh"
needs dmsetup mdadm blkdiscard fio thin_dump
needs_target thin-pool
[ -d "${TE_MUTANTS:-}" ] || skip_all "there are no mutants: make check-long"

# fails_as MUTANT SCRIPT GOOD TEST...: of the script's tests these fail, and GOOD passes.
fails_as() {
	local module=$TE_MUTANTS/$1.ko script=$2 good=$3 test
	shift 3
	TE_MODULE=$module TE_TESTS="$good $*" bash "$(dirname "$0")/../$script" \
		>"$TE_TMP/said" 2>&1 || true
	rmmod dm_thinexport
	sed 's/^/| /' "$TE_TMP/said"
	for test; do
		grep -q "^not ok [0-9]* ${test//_/ }" "$TE_TMP/said"
	done
	grep "^ok 1 ${good//_/ }" "$TE_TMP/said"
}

without_the_exclusion_data_is_lost_under_writes() {
	fails_as no_exclusion passdown_races.sh \
		a_trim_of_a_live_pool_spares_what_was_written_since \
		what_is_written_during_a_discard_of_a_disk_lands_after_it \
		what_is_written_during_a_discard_of_a_raid5_lands_after_it \
		a_write_that_must_not_wait_is_sent_back
}

without_the_exclusion_writes_do_not_wait() {
	fails_as no_exclusion passdown_stripes.sh a_write_takes_its_unit_back \
		a_write_waits_for_a_discard_in_flight
}

without_the_guard_a_trim_takes_live_data() {
	fails_as no_guard passdown_races.sh \
		what_is_written_during_a_discard_of_a_disk_lands_after_it \
		a_trim_of_a_live_pool_spares_what_was_written_since
	fails_as no_guard passdown_stripes.sh a_write_waits_for_a_discard_in_flight \
		while_the_guard_is_on_what_was_written_stays
}

without_asking_for_the_guard_a_discard_under_it_is_taken() {
	fails_as unguarded_discard passdown_stripes.sh a_write_takes_its_unit_back \
		without_the_guard_no_guarded_discard_is_taken
}

run_tests \
	without_the_exclusion_data_is_lost_under_writes \
	without_the_exclusion_writes_do_not_wait \
	without_the_guard_a_trim_takes_live_data \
	without_asking_for_the_guard_a_discard_under_it_is_taken
