#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests of thin-passdown find a target that lets writes pass discards in flight, and
# one whose guard keeps nothing: with either in its place they fail.  The modules are
# made by tests/mutants, and come in TE_MUTANTS.
# timeout: 480
. "$(dirname "$0")/../lib.sh"
needs dmsetup mdadm blkdiscard fio thin_dump
needs_target thin-pool
[ -d "${TE_MUTANTS:-}" ] || skip_all "there are no mutants: make check-long"

# fails_as MUTANT SCRIPT TEST...: of the script's tests these fail, and others pass.
fails_as() {
	local module=$TE_MUTANTS/$1.ko script=$2 name
	shift 2
	TE_MODULE=$module bash "$(dirname "$0")/../$script" >"$TE_TMP/said" 2>&1 || true
	rmmod dm_thinexport
	sed 's/^/| /' "$TE_TMP/said"
	for name; do
		grep -q "^not ok [0-9]* $name" "$TE_TMP/said"
	done
	grep '^ok ' "$TE_TMP/said"
}

without_the_exclusion_data_is_lost_under_writes() {
	fails_as no_exclusion passdown_races.sh \
		'what is written during a discard of a disk lands after it' \
		'what is written during a discard of a raid5 lands after it' \
		'a write that must not wait is sent back'
}

without_the_exclusion_writes_do_not_wait() {
	fails_as no_exclusion passdown_stripes.sh 'a write waits for a discard in flight'
}

without_the_guard_a_trim_takes_live_data() {
	fails_as no_guard passdown_races.sh \
		'a trim of a live pool spares what was written since'
	fails_as no_guard passdown_stripes.sh 'while the guard is on what was written stays'
}

run_tests \
	without_the_exclusion_data_is_lost_under_writes \
	without_the_exclusion_writes_do_not_wait \
	without_the_guard_a_trim_takes_live_data
