#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Pools as they are found in the field: how hypervisors name and flag what is in
# them, and what LVM puts below them.
# kernel: 6.12
# timeout: 600
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

# Minor numbers have 20 bits, of which the first 8 stand apart.  In a group of 300 volumes
# they come by themselves (long/lvm_many.sh).
devices_with_minor_numbers_above_255() {
	local metadata data
	metadata=$(disk 4)
	data=$(disk 48)
	numbered metadata 300 "0 $(size_of "$metadata") linear $metadata 0"
	numbered data 301 "0 $(size_of "$data") linear $data 0"
	numbered p 302 "0 $(size_of "$data") thin-pool /dev/mapper/metadata /dev/mapper/data 128 0"
	message p create_thin 0
	numbered one 303 "0 32768 thin /dev/mapper/p 0"
	fill /dev/mapper/one 1
	# Only what is open is suspended by itself.
	exec 7<>/dev/mapper/one
	sent p one
	exec 7>&-
	nothing_is_left p
	deactivate one p data metadata
	arrives "$TE_TMP/stream"
	activate there 0 16 there-one
	holds /dev/mapper/there-one 1
	deactivate there-one there
}
numbered() { # numbered NAME MINOR TABLE
	local major
	major=$(awk '$2 == "device-mapper" { print $1 }' /proc/devices)
	dmsetup create "$1" --major "$major" --minor "$2" --table "$3"
	later dmsetup remove --retry "$1"
}

# By a rollback a disk's id comes after its snapshots', of which one may be its origin:
# Proxmox makes it anew from that, LVM merges one into it.
disks_that_were_rolled_back() {
	group pve "$(disk 128)"
	lvm_pool pve/data 64
	lvm_volume pve/data again 16
	fill /dev/pve/again 1 0 8192
	lvm_snapshot pve/again first -pr
	fill /dev/pve/again 2 0 4096
	lvm_snapshot pve/again second -pr
	lvremove -q -y pve/again
	lvm_snapshot pve/first again -kn
	fill /dev/pve/again 3 1024 1024
	lvm_volume pve/data merged 16
	fill /dev/pve/merged 4 0 4096
	lvm_snapshot pve/merged kept
	lvm_snapshot pve/merged back
	fill /dev/pve/merged 5 0 2048
	lvchange -q -an pve/merged
	lvconvert -q -y --merge pve/back
	lvchange -q -ay pve/merged
	[ "$(ids pve)" = 'again:4 first:2 kept:6 merged:7 second:3 ' ]
	sent pve/data again first kept merged second
	group new "$(disk 128)"
	thinexport receive -i "$TE_TMP/stream" new/data
	[ "$(ids new)" = "$(ids pve)" ]
	[ "$(lv_field new/again origin) $(lv_field new/second origin)" = 'first ' ]
	diff <(counted pve/data) <(counted new/data)
	lvchange -q -ay -K new/first new/second new/kept
	holds /dev/new/again 1 0 1024
	holds /dev/new/again 3 1024 1024
	holds /dev/new/again 1 2048 6144
	holds /dev/new/first 1 0 8192
	holds /dev/new/second 2 0 4096
	holds /dev/new/second 1 4096 4096
	holds /dev/new/merged 4 0 4096
	holds /dev/new/kept 4 0 4096
	nothing_is_left pve-data-tpool
	te_drop_group new
	te_drop_group pve
}
ids() { # ids GROUP: NAME:ID of its volumes
	lvs --noheadings --separator : -O lv_name -o lv_name,thin_id -S segtype=thin "$1" | tr -d ' ' | tr '\n' ' '
}

# What is told to do with a pool that takes no snapshot, here g/p with its volume one.
sent_by_its_parts() {
	vgchange -q -an g
	lvchange -q -ay -y g/p_tmeta
	lvchange -q -ay -y g/p_tdata
	thinexport send --volume 1 --size 1=32768 --metadata /dev/g/p_tmeta --data /dev/g/p_tdata \
		2>"$TE_TMP/sender" >"$TE_TMP/stream" || { cat "$TE_TMP/sender"; return 1; }
	lvchange -q -an g/p_tmeta g/p_tdata
	arrives "$TE_TMP/stream"
	as_here g/one 1 0 4096
	deactivate there
	vgchange -q -ay g
}

# Each volume without contents takes a block of the metadata, and LVM need not know of
# them.  What the kernel counts as used has a tenth that it keeps for itself.
metadata_that_is_nearly_full_is_not_filled_further() {
	local id
	group g "$(disk 128)" -s 1M
	lvcreate -q -y --type thin-pool -L 48M --poolmetadatasize 2M -c 64k -n p g
	lvm_volume g/p one 16
	fill /dev/g/one 1 0 4096
	for ((id = 100; id < 500; id++)); do message g-p-tpool create_thin $id; done
	until [ "$(metadata_percent g-p-tpool)" -gt 95 ]; do
		message g-p-tpool create_thin $((id++))
	done
	dmsetup status g-p-tpool | tee "$TE_TMP/before" | grep ' rw '
	refused 'of the pool.s 512 metadata blocks are in use, too many to take snapshots safely; extend its metadata, or deactivate it'
	dmsetup status g-p-tpool | diff "$TE_TMP/before" -
	while message g-p-tpool create_thin $((id++)); do :; done
	dmsetup status g-p-tpool | grep ' ro '
	refused 'read-only or out of metadata space \(512 of 512 blocks are in use\) .*; extend its metadata if that is full, or deactivate it'
	sent_by_its_parts
	lvextend -q --poolmetadatasize +4M g/p
	thinexport send --volume one g/p >"$TE_TMP/stream"
	nothing_is_left g-p-tpool
	te_drop_group g
}
metadata_percent() { # metadata_percent POOL: used, rounded down
	dmsetup status "$1" | awk '{ split($5, n, "/"); print int(n[1] * 100 / n[2]) }'
}
refused() { # refused PATTERN [VOLUME]: a send of all in g/p, or of that
	fails_with "$1" thinexport send -o "$TE_TMP/none" "g/${2:-p}"
	[ ! -e "$TE_TMP/none" ]
	nothing_is_left g-p-tpool
}

# One write of its metadata that fails is enough.
a_pool_that_needs_a_check_is_left_alone() {
	local table
	has_target flakey || skip "no device-mapper target flakey"
	group g "$(disk 128)"
	lvm_pool g/p 48
	lvm_volume g/p one 16
	fill /dev/g/one 1 0 4096
	table=$(dmsetup table g-p_tmeta)
	becomes g-p_tmeta "${table/linear/flakey} 0 1 1 error_writes"
	message g-p-tpool create_thin 99 || true
	becomes g-p_tmeta "$table"
	dmsetup status g-p-tpool | tee "$TE_TMP/before" | grep 'ro .* needs_check'
	refused 'metadata needs a check: deactivate it, then send its devices .*, or have it checked'
	dmsetup status g-p-tpool | diff "$TE_TMP/before" -
	sent_by_its_parts
	grep 'the pool wants thin_check to be run' "$TE_TMP/sender"
	vgchange -q -an g
	vgchange -q -ay --config 'global/thin_check_options=["-q","--clear-needs-check-flag"]' g
	sent g/p one
	te_drop_group g
}
becomes() { # becomes DEVICE TABLE
	dmsetup suspend --noflush "$1"
	dmsetup reload "$1" --table "$2"
	dmsetup resume "$1"
}

# The volume is in use, and becomes its snapshot only when it is next activated.
a_snapshot_that_is_to_be_merged() {
	local holder id
	group g "$(disk 128)"
	lvm_pool g/p 64
	lvm_volume g/p one 16
	fill /dev/g/one 1
	lvm_snapshot g/one snap
	id=$(lv_field g/snap thin_id)
	fill /dev/g/one 2 0 4096
	sleep 1000 </dev/g/one &
	holder=$!
	lvconvert -q -y --merge g/snap
	sent g/p one snap
	kill $holder
	grep 'snap is to be merged into one when that is next activated' "$TE_TMP/sender"
	arrives "$TE_TMP/stream"
	as_here g/one 2 0 4096
	as_here g/one 1 4096 8192
	activate there "$id" 16 there-snap
	holds /dev/mapper/there-snap 1
	deactivate there-snap there
	nothing_is_left g-p-tpool
	te_drop_group g
}

# Part of what such a volume shows is not in the pool; all others can be sent.
a_volume_with_an_external_origin_is_refused_and_the_others_are_not() {
	group g "$(disk 128)"
	lvm_pool g/p 48
	lvm_volume g/p one 16
	fill /dev/g/one 1 0 4096
	lvcreate -q -y -Wn -L 16M -n image g
	lvconvert -q -y --type thin --thinpool g/p --originname ext g/image
	refused 'image has an external origin: part of what it shows lies outside the pool.*copy it into a volume of its own'
	# Also when it is not active.
	lvchange -q -an g/image
	refused 'image has an external origin' image
	thinexport send g/one >"$TE_TMP/stream"
	arrives "$TE_TMP/stream"
	as_here g/one 1 0 4096
	deactivate there
	te_drop_group g
}

run_tests \
	machines_with_snapshots_as_proxmox_has_them \
	a_snapshot_of_a_snapshot_that_is_gone \
	a_pool_on_a_mirror_in_a_group_of_two_pools \
	a_pool_whose_data_is_cached \
	devices_with_minor_numbers_above_255 \
	disks_that_were_rolled_back \
	metadata_that_is_nearly_full_is_not_filled_further \
	a_pool_that_needs_a_check_is_left_alone \
	a_snapshot_that_is_to_be_merged \
	a_volume_with_an_external_origin_is_refused_and_the_others_are_not
