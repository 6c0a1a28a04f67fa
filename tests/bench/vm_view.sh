#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sequential read of a view against dm-linear of the same bytes, in one boot, in
# turns, from memory: what is measured is the way of a bio, not a disk.  Prints both
# rates and their ratio, of the fastest rounds, as a busy machine only ever adds
# time; wants 0.95.
# timeout: 300
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/../vm/view.bash"
. "$(dirname "$0")/report.sh"
needs dmsetup pattern
needs_target thin-pool
needs_module

volume_mib=256
chosen=0
rounds=30

# read_time DEVICE BYTES_TO_SKIP: of the whole volume, past the page cache; units of 10 us.
read_time() {
	local start
	start=$(date +%s%N)
	dd if="$1" of=/dev/null bs=1M count=$volume_mib skip="$2" \
		iflag=direct,skip_bytes,fullblock status=none || return
	echo $((($(date +%s%N) - start) / 10000))
}

fastest() { sort -n | head -n 1; }

# race NAME: the packed data of /dev/mapper/view against the first blocks of the data
# device, which are as many.
race() {
	local at round view linear
	at=$(field /dev/mapper/view 104)
	dmsetup create linear --readonly --table "0 $(size_of "$data") linear $data 0"
	later dmsetup remove --retry linear
	for ((round = 0; round < rounds; round++)); do
		# Neither always after the other.
		[ $((round % 2)) -eq 0 ] || read_time /dev/mapper/view "$at" >>"$TE_TMP/view"
		read_time /dev/mapper/linear 0 >>"$TE_TMP/linear"
		[ $((round % 2)) -ne 0 ] || read_time /dev/mapper/view "$at" >>"$TE_TMP/view"
	done
	linear=$(fastest <"$TE_TMP/linear")
	view=$(fastest <"$TE_TMP/view")
	rm "$TE_TMP/linear" "$TE_TMP/view"
	deactivate linear
	awk -v view="$view" -v linear="$linear" -v mib=$volume_mib 'BEGIN {
		printf "view %.0f MiB/s, dm-linear %.0f MiB/s\n",
			mib / view * 100000, mib / linear * 100000 }' >>"$TE_TMP/results"
	ratio "$1" "$(divide "$linear" "$view")" %.2f '>=' 0.95 >"$TE_TMP/row"
	cat "$TE_TMP/row" >>"$TE_TMP/results"
	grep -q ' yes$' "$TE_TMP/row"
}

a_pool_in_memory_is_viewed() {
	pool p "$metadata" "$data"
	volume p 0 $volume_mib v0
	fill /dev/mapper/v0 1
	freeze
	view view 0 "$(pinned 0)"
}

sequential_read_is_at_least_95_percent_of_dm_linear() {
	race 'view, sequential read, of dm-linear'
}

disks=$(ram_disks 2 288) || exit 1
metadata=${disks%%$'\n'*}
data=${disks##*$'\n'}
trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests \
	a_pool_in_memory_is_viewed \
	sequential_read_is_at_least_95_percent_of_dm_linear
