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

# Of a chosen volume and its snapshot, a base they need is made and goes again.
chosen_volumes_join_alone() {
	begin
	into --volume two --rename two=second new/pool 2>&1 | tee "$TE_TMP/said"
	lvs --noheadings -o lv_name -S 'thin_id>0' new | tr -d ' ' | sort | tr '\n' ' ' |
		grep '^mine mine-snap second $'
	lvchange -q -ay -K new/second
	[ "two $(sum /dev/new/second)" = "$(grep ^two "$TE_TMP/truth")" ]
	thinexport receive --into --volume two <"$TE_TMP/stream" new/pool
	lvchange -q -ay -K new/two
	[ "two $(sum /dev/new/two)" = "$(grep ^two "$TE_TMP/truth")" ]
	fails grep thinexport <(lvs -a --noheadings -o lv_name,lv_tags new)
	lvremove -q -y new/second new/two
	nothing_has_changed
}

# Holes cannot be made: they are zeros, and that is told.
a_pool_that_ignores_discards_gets_zeros() {
	begin
	vgchange -q -an new
	lvchange -q --discards ignore new/pool
	vgchange -q -ay new
	into new/pool 2>"$TE_TMP/said"
	cat "$TE_TMP/said"
	grep '^thinexport: .* were written as zeros' "$TE_TMP/said"
	truth new | diff "$TE_TMP/truth" -
	lvremove -q -y new/base new/db new/db-old new/one new/two new/web new/web-snap
	vgchange -q -an new
	lvchange -q --discards passdown new/pool
	vgchange -q -ay new
	lvchange -q -an new/pool 2>/dev/null || true
	lvchange -q -ay new/pool
	sum /dev/new/mine | diff "$TE_TMP/mine" -
}

volumes_are_larger_from_the_first_moment() {
	local path
	begin
	into --grow web=+8M --grow web-snap=40M new/pool
	path=new/other
	thinexport receive -i "$TE_TMP/stream" --size 60M --grow web=+8M --rename web=w2 \
		--volume web $path
	for path in web w2; do
		[ "$(lv_field new/$path lv_size)" = $((32 * 2048)) ]
		[ "web $(sum /dev/new/$path $((24 << 20)))" = "$(grep '^web ' "$TE_TMP/truth")" ]
		cmp -n $((8 << 20)) -i $((24 << 20)):0 /dev/new/$path /dev/zero
	done
	[ "$(lv_field new/web-snap lv_size)" = $((40 * 2048)) ]
	[ "$(lv_field new/db lv_size)" = $((16 * 2048)) ]
	fails_with 'larger, not smaller; it has 24 MiB' into --grow web=8M new/pool
	lvremove -q -y new/other
	remove_received
}

# Chunks that do not divide the volume: what lies in the last behind its end stays hidden.
the_end_of_the_last_chunk_is_written_too() {
	group odd "$(disk 80)"
	lvcreate -q -y --type thin-pool -Zn -L 36M --poolmetadatasize 4M -c 192k -n pool odd
	lvm_volume odd/pool short 4
	fill /dev/odd/short 1
	thinexport send odd/pool >"$TE_TMP/odd"
	# What is free behind it does not take them all: the last goes where there was data.
	lvm_volume odd/pool filler 28
	fill /dev/odd/filler 99
	lvremove -q -y odd/filler odd/short
	thinexport receive --into -i "$TE_TMP/odd" odd/pool
	[ "$(lv_field odd/short lv_size)" = 8192 ]
	holds /dev/odd/short 1
	lvextend -q -L +4M odd/short
	cmp -n $((4 * 1024 * 1024)) -i $((4 * 1024 * 1024)):0 /dev/odd/short /dev/zero
	te_drop_group odd
}

run_tests \
	volumes_join_those_of_a_pool \
	chosen_volumes_join_alone \
	a_pool_that_ignores_discards_gets_zeros \
	volumes_are_larger_from_the_first_moment \
	the_end_of_the_last_chunk_is_written_too
