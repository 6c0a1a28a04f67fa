#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 300 volumes of LVM's: received into a group, sent from there, received into another.
# Their devices have minor numbers above 255.
# timeout: 900
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../live.bash"
. "$(dirname "$0")/../lvm.bash"
needs lvm thin_check thinexport
needs_target thin-pool linear

# timed COMMAND...: says how long it took.
timed() {
	local start
	start=$(date +%s%N)
	"$@" || return
	echo "# $((($(date +%s%N) - start) / 1000000)) ms: $*"
}

three_hundred_volumes_go_from_group_to_group() {
	local metadata data id
	metadata=$(disk 8)
	data=$(disk 64)
	pool p "$metadata" "$data"
	for ((id = 0; id < 300; id++)); do message p create_thin $id; done
	activate p 0 16 first
	activate p 299 16 last
	fill /dev/mapper/first 1 0 1024
	fill /dev/mapper/last 2 0 1024
	deactivate first last p
	thinexport send --metadata "$metadata" --data "$data" >"$TE_TMP/raw"
	group one "$(disk 128)"
	timed thinexport receive --metadata-size 16M -i "$TE_TMP/raw" one/p
	[ "$(lvs --noheadings -S segtype=thin one | wc -l)" -eq 300 ]
	[ "$(dmsetup info -c --noheadings -o minor one-thin299)" -gt 255 ]
	load_module 2>/dev/null || true
	timed thinexport send -o "$TE_TMP/stream" one/p
	nothing_is_left one-p-tpool
	vgchange -q -an one
	group two "$(disk 128)"
	timed thinexport receive -i "$TE_TMP/stream" two/p
	vgchange -q -ay one
	lvs --noheadings -o lv_name,thin_id,lv_size,lv_attr -S segtype=thin one >"$TE_TMP/one"
	lvs --noheadings -o lv_name,thin_id,lv_size,lv_attr -S segtype=thin two >"$TE_TMP/two"
	diff "$TE_TMP/one" "$TE_TMP/two"
	holds /dev/two/thin0 1 0 1024
	holds /dev/two/thin299 2 0 1024
	thinexport cleanup 2>&1 | grep 'nothing to clean up'
	te_drop_group one
	te_drop_group two
}

run_tests three_hundred_volumes_go_from_group_to_group
