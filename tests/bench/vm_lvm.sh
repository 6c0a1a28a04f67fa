#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A volume group's pool onto a RAID5: by one line, and by hand, as it is done without:
# deactivated, each volume through gzip into a file, the new pool and its volumes made,
# each file through `dd conv=sparse` into its volume.  In one boot, in turns; of each
# the time and the bytes that reach the array.  Wants at most 1.02 of what is
# provisioned, and a fourth of the time.  Without files between them, where old and new
# disks are there at once, hands are faster: that is told beside it.  The array's disks are
# slow (tests/qemu/run), as the processor is: see vm_send.sh.
# timeout: 900
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/../vm/lvm.bash"
. "$(dirname "$0")/report.sh"
needs lvm mdadm thinexport pattern gzip jq thin_dump
needs_target thin-pool linear

rounds=2
volumes='web web-before database mail'	# the second is a snapshot of the first
declare -A mib=([web]=64 [web-before]=64 [database]=32 [mail]=32)

# Sectors written to the array so far.
written() { awk '{ print $7 }' "/sys/block/${md#/dev/}/stat"; }

# timed FILE COMMAND...: "MS SECTORS", of the time it takes and the sectors it writes.
timed() {
	local file=$1 start before
	shift
	before=$(written)
	start=$(date +%s%N)
	"$@" >"$TE_TMP/said" 2>&1 || { cat "$TE_TMP/said"; return 1; }
	sync
	echo "$((($(date +%s%N) - start) / 1000000)) $(($(written) - before))" >>"$file"
}

by_one_line() {
	thinexport send vms/thinpool | thinexport receive new/thinpool
}

sparse() { dd bs=64K conv=sparse,notrunc,fsync iflag=fullblock status=none of="/dev/new/$1"; }

new_volume() { lvm_volume new/thinpool "$1" "${mib[$1]}"; }

by_hand() {
	local name
	vgchange -q -an vms
	vgcfgbackup -q -f "$TE_TMP/vms.text" vms
	lvchange -q -ay -y vms/thinpool_tmeta
	thin_dump /dev/vms/thinpool_tmeta >"$TE_TMP/vms.xml"
	lvchange -q -an vms/thinpool_tmeta
	for name in $volumes; do
		lvchange -q -ay -K "vms/$name" || return
		gzip -1 <"/dev/vms/$name" >"$TE_TMP/$name.gz" || return
		lvchange -q -an "vms/$name"
	done
	lvm_pool new/thinpool 160 || return
	for name in $volumes; do
		new_volume "$name" || return
		gunzip <"$TE_TMP/$name.gz" | sparse "$name" || return
	done
	vgchange -q -ay vms
}

by_hand_from_volume_to_volume() {
	local name
	vgchange -q -an vms
	lvm_pool new/thinpool 160 || return
	for name in $volumes; do
		lvchange -q -ay -K "vms/$name" || return
		new_volume "$name" || return
		sparse "$name" <"/dev/vms/$name" || return
	done
	vgchange -q -ay vms
}

column() { cut -d' ' -f"$1" "$2" | median; }

the_same_pool_by_one_line_and_by_hand() {
	local round provisioned
	group vms "$source"
	lvm_pool vms/thinpool 160
	for name in web database mail; do lvm_volume vms/thinpool $name "${mib[$name]}"; done
	fill /dev/vms/web 1 0 40960
	fill /dev/vms/database 2 0 24576
	fill /dev/vms/mail 3 0 16384
	lvm_snapshot vms/web web-before
	fill /dev/vms/web 4 8192 4096
	group new "$md"
	for ((round = 0; round < rounds; round++)); do
		timed "$TE_TMP/line" by_one_line
		holds /dev/new/web 4 8192 4096
		lvremove -q -y new/thinpool
		timed "$TE_TMP/hand" by_hand
		holds /dev/new/web-before 1 0 40960
		lvremove -q -y new/thinpool
	done
	timed "$TE_TMP/at-once" by_hand_from_volume_to_volume
	holds /dev/new/web-before 1 0 40960
	thinexport send -o "$TE_TMP/stream" vms/thinpool
	provisioned=$(thinexport info --json "$TE_TMP/stream" | jq .provisioned_sectors)
	{
		ratio "pool to RAID5 by one line: written/provisioned" \
			"$(divide "$(column 2 "$TE_TMP/line")" "$provisioned")" '%.3f' '<=' 1.02
		row "     the same by hand" \
			"$(divide "$(column 2 "$TE_TMP/hand")" "$provisioned" | cut -c1-5)" '' -
		ratio "pool to RAID5: by hand takes x of its time" \
			"$(divide "$(column 1 "$TE_TMP/hand")" "$(column 1 "$TE_TMP/line")")" '%.1f' '>=' 4
		row "     by hand, from volume to volume" \
			"$(divide "$(column 1 "$TE_TMP/at-once")" "$(column 1 "$TE_TMP/line")" | cut -c1-4)" '' -
	} >>"$TE_TMP/results"
	te_drop_group new
	te_drop_group vms
}

source=$(ram_disks 1 240) || exit 1
members=$(slow_disks)
[ -n "$members" ] || skip_all "there are no slow disks: TE_DISK_RATE of tests/qemu/run"
md=$(raid5 te 512 $members) || exit 1
trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests the_same_pool_by_one_line_and_by_hand
