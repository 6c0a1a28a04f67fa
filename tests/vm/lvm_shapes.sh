#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Pools as they are found in the field: how hypervisors name and flag what is in
# them, and what LVM puts below them.
# kernel: 6.12
# timeout: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/lvm.bash"
needs lvm thin_check thinexport jq
needs_target thin-pool linear

# sent POOL NAME...: the pool, and just these of its volumes are in $TE_TMP/stream.
sent() {
	local pool=$1
	shift
	thinexport send "$pool" >"$TE_TMP/stream" 2>"$TE_TMP/sender" ||
		{ cat "$TE_TMP/sender"; return 1; }
	[ "$(names "$TE_TMP/stream")" = "$* " ] || { catalog "$TE_TMP/stream"; return 1; }
	thinexport verify --against "$pool" "$TE_TMP/stream"
}

# The volume that LVM has as GROUP/NAME has content SEED there too: as_here GROUP/NAME SEED [PLACE]
as_here() {
	local path=$1
	shift
	activate there "$(lv_field "$path" thin_id)" 16 "there-${path#*/}"
	holds "/dev/mapper/there-${path#*/}" "$@"
	deactivate "there-${path#*/}"
}

machines_with_snapshots_as_proxmox_has_them() {
	group pve "$(disk 128)"
	lvm_pool pve/data 64
	# As they are made, so not in the order of their names.
	lvm_volume pve/data vm-101-disk-0 16
	lvm_volume pve/data vm-100-disk-0 16
	fill /dev/pve/vm-101-disk-0 1
	lvcreate -q -y -s -k y -pr -n snap_vm-101-disk-0_sn1 pve/vm-101-disk-0
	lvm_volume pve/data vm-101-state-sn1 16
	fill /dev/pve/vm-101-disk-0 2 0 4096
	fill /dev/pve/vm-100-disk-0 3 0 4096
	fill /dev/pve/vm-101-state-sn1 4 0 1024
	lvchange -q -an pve/vm-101-state-sn1
	sent pve/data snap_vm-101-disk-0_sn1 vm-100-disk-0 vm-101-disk-0 vm-101-state-sn1
	catalog "$TE_TMP/stream" | jq -e '.volumes[] | select(.name == "snap_vm-101-disk-0_sn1") | .lvm |
		.read_only and .skip_activation and .origin == "vm-101-disk-0"'
	arrives "$TE_TMP/stream"
	as_here pve/snap_vm-101-disk-0_sn1 1
	as_here pve/vm-101-disk-0 2 0 4096
	as_here pve/vm-101-disk-0 1 4096 4096
	as_here pve/vm-100-disk-0 3 0 4096
	as_here pve/vm-101-state-sn1 4 0 1024
	deactivate there
	nothing_is_left pve-data-tpool
	te_drop_group pve
}

a_snapshot_of_a_snapshot_that_is_gone() {
	group g "$(disk 128)"
	lvm_pool g/p 64
	lvm_volume g/p base 16
	fill /dev/g/base 1
	lvm_snapshot g/base middle
	lvchange -q -ay -K g/middle
	fill /dev/g/middle 2 0 4096
	lvm_snapshot g/middle last
	lvchange -q -ay -K g/last
	fill /dev/g/last 3 0 1024
	lvremove -q -y g/middle
	fill /dev/g/base 4 8192 1024
	sent g/p base last
	arrives "$TE_TMP/stream"
	as_here g/base 1 0 8192
	as_here g/base 4 8192 1024
	as_here g/last 3 0 1024
	as_here g/last 2 1024 3072
	as_here g/last 1 4096 8192
	deactivate there
	te_drop_group g
}

# Two disks, the pool mirrored on both, and another pool beside it.
a_pool_on_a_mirror_in_a_group_of_two_pools() {
	has_target raid || skip "no device-mapper target raid"
	modprobe -q raid1 || true
	group g "$(disk 128)" "$(disk 128)"
	lvcreate -q -y -Wn --type raid1 -m 1 --nosync -L 48M -n p g
	lvcreate -q -y -Wn --type raid1 -m 1 --nosync -L 4M -n meta g
	lvconvert -q -y --type thin-pool --poolmetadata g/meta -c 64k g/p
	lvm_pool g/other 16
	lvm_volume g/p one 16
	lvm_volume g/other two 16
	fill /dev/g/one 1 0 8192
	fill /dev/g/two 2 0 4096
	sent g/p one
	arrives "$TE_TMP/stream"
	as_here g/one 1 0 8192
	deactivate there
	sent g/other two
	nothing_is_left g-p-tpool
	te_drop_group g
}

a_pool_whose_data_is_cached() {
	has_target cache || skip "no device-mapper target cache"
	group g "$(disk 128)" "$(disk 32)"
	lvm_pool g/p 48
	lvcreate -q -y -Wn -L 12M -n fast g
	lvconvert -q -y --type cache --cachevol fast g/p
	lvm_volume g/p one 16
	fill /dev/g/one 1 0 8192
	lvm_snapshot g/one was
	fill /dev/g/one 2 0 2048
	sent g/p one was
	arrives "$TE_TMP/stream"
	as_here g/one 2 0 2048
	as_here g/one 1 2048 6144
	as_here g/was 1 0 8192
	deactivate there
	nothing_is_left g-p-tpool
	te_drop_group g
}

# Minor numbers have 20 bits, of which the first 8 stand apart.
devices_with_minor_numbers_above_255() {
	local number
	for ((number = 0; number < 260; number++)); do
		echo "minor-$number,,,,0 1 error"
	done >"$TE_TMP/many"
	dmsetup create --concise "$(sed 's/$/;/' "$TE_TMP/many" | tr -d '\n')"
	later drop_minors
	group g "$(disk 128)"
	lvm_pool g/p 48
	lvm_volume g/p one 16
	fill /dev/g/one 1 0 4096
	lvm_snapshot g/one was
	[ "$(dmsetup info -c --noheadings -o minor g-one)" -gt 255 ]
	sent g/p one was
	arrives "$TE_TMP/stream"
	as_here g/was 1 0 4096
	deactivate there
	nothing_is_left g-p-tpool
	te_drop_group g
	drop_minors
}
drop_minors() { dmsetup ls | sed -n 's/^\(minor-[0-9]*\)[ \t].*/\1/p' | xargs -r dmsetup remove; }

run_tests \
	machines_with_snapshots_as_proxmox_has_them \
	a_snapshot_of_a_snapshot_that_is_gone \
	a_pool_on_a_mirror_in_a_group_of_two_pools \
	a_pool_whose_data_is_cached \
	devices_with_minor_numbers_above_255
