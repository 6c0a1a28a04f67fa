#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A stream's volumes join those of a pool that is there, through LVM: their contents and
# their sharing are the source's, and nothing else of the pool changes.
# kernel: 6.12
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lvm.bash"
needs lvm thin_check thin_ls blkdiscard thinexport jq
needs_target thin-pool linear

# The source: a volume whose tree is so large that its snapshot shares nodes with it, one
# whose is not, holes where a snapshot has data, zeros that are provisioned, cousins; and
# the target: a pool that does not zero
# new blocks, and has had other data in all of them.
begin() {
	! vgs new >/dev/null 2>&1 || return 0
	[ -e "$TE_TMP/stream" ] || source_pool
	group new "$(disk 200)" "$(disk 40)"
	lvm_pool new/pool 96 -Zn
	lvm_volume new/pool mine 16
	fill /dev/new/mine 90 0 4096
	lvm_snapshot new/mine mine-snap
	fill /dev/new/mine 91 0 1024
	lvm_volume new/pool filler 84
	fill /dev/new/filler 99 0 81920
	lvremove -q -y new/filler
	sum /dev/new/mine >"$TE_TMP/mine"
	state >"$TE_TMP/before"
}

source_pool() {
	group src "$(disk 140)"
	lvm_pool src/pool 80
	lvm_volume src/pool web 24 --addtag a --addtag b=c/d
	dd if=/dev/zero of=/dev/src/web bs=1M oflag=direct status=none count=24
	fill /dev/src/web 1 0 8192
	lvm_snapshot src/web web-snap
	lvchange -q -pr src/web-snap
	fill /dev/src/web 3 4096 2048
	blkdiscard -o $((1024 * 1024)) -l $((2048 * 1024)) /dev/src/web
	lvm_volume src/pool db 16
	fill /dev/src/db 2 0 2048
	lvm_snapshot src/db db-old
	dd if=/dev/zero of=/dev/src/db bs=1M seek=4 count=2 oflag=direct status=none
	blkdiscard -o 65536 -l 131072 /dev/src/db
	cousins
	truth src >"$TE_TMP/truth"
	thinexport send src/pool >"$TE_TMP/stream"
	counted src/pool >"$TE_TMP/counted"
	te_drop_group src
}

# What "gone" had in common with one and two they share, though neither is the other's.
cousins() {
	lvm_volume src/pool base 16
	fill /dev/src/base 4 0 4096
	lvm_snapshot src/base gone
	lvchange -q -ay -K src/gone
	fill /dev/src/gone 5 0 1024
	lvm_snapshot src/gone one
	fill /dev/src/gone 6 1024 1024
	lvm_snapshot src/gone two
	lvremove -q -y src/gone
	lvchange -q -ay -K src/one
	fill /dev/src/one 7 1024 512
}

# The sum of each volume of the group that the stream has: truth GROUP
truth() {
	local name
	lvchange -q -ay -K "$1/db-old" "$1/one" "$1/two" "$1/web-snap"
	for name in base db db-old one two web web-snap; do
		echo "$name $(sum "/dev/$1/$name")"
	done
	lvchange -q -an "$1/db-old" "$1/one" "$1/two" "$1/web-snap"
}

remove_received() {
	lvremove -q -y new/base new/db new/db-old new/one new/two new/web new/web-snap
	nothing_has_changed
}

into() { thinexport receive --into -i "$TE_TMP/stream" "$@"; }

volumes_join_those_of_a_pool() {
	local copied
	begin
	into -n new/pool
	nothing_has_changed
	into --json new/pool >"$TE_TMP/totals"
	lvs -a -o +lv_tags,thin_id new
	truth new | diff "$TE_TMP/truth" -
	sum /dev/new/mine | diff "$TE_TMP/mine" -
	[ "$(lv_field new/web lv_tags)" = a,b=c/d ]
	[ -z "$(lv_field new/db lv_tags)" ]
	[ "$(lv_field new/web-snap lv_permissions)" = read-only ]
	[ "$(lv_field new/web-snap lv_skip_activation)" = skipactivation ]
	[ -z "$(lv_field new/web lv_skip_activation)" ]
	[ -e /dev/new/web ]
	[ ! -e /dev/new/web-snap ]
	[ "$(lv_field new/web lv_size)" = $((24 * 2048)) ]
	vgck new
	# As much is mapped as there, and as much is shared of what is tied by snapshots.
	counted new/pool | grep -v ^mine >"$TE_TMP/now"
	diff <(cut -d' ' -f1,2 "$TE_TMP/counted") <(cut -d' ' -f1,2 "$TE_TMP/now")
	diff <(grep -E '^(web|db)' "$TE_TMP/counted") <(grep -E '^(web|db)' "$TE_TMP/now")
	# What cousins shared is in the pool once more, and told.
	copied=$(jq .copied_bytes "$TE_TMP/totals")
	[ "$copied" -gt 0 ]
	[ "$copied" -lt $((8 << 20)) ]
	truth new | diff "$TE_TMP/truth" -
	remove_received
}

run_tests volumes_join_those_of_a_pool
