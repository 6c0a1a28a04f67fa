# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the scripts on LVM's pools.  Comes after lib.sh.

# There may be no dmeventd to watch a pool, and no udev to make nodes.
export LVM_SUPPRESS_FD_WARNINGS=1

# group NAME DISK...: a new volume group.
group() {
	vgcreate -q "$@" || return
	later te_drop_group "$1"
}
te_drop_group() {
	vgs "$1" >/dev/null 2>&1 || return 0
	vgremove -q -ff -y "$1"
}

# lvm_pool GROUP/POOL MIB [OPTION...]: a thin pool with chunks of 64 KiB.
lvm_pool() {
	local path=$1 mib=$2
	shift 2
	lvcreate -q -y --type thin-pool -L "${mib}M" --poolmetadatasize 4M -c 64k \
		-n "${path#*/}" "$@" "${path%/*}"
}

# lvm_volume GROUP/POOL NAME MIB [OPTION...]: active, as /dev/GROUP/NAME.
lvm_volume() {
	local path=$1 name=$2 mib=$3
	shift 3
	lvcreate -q -y -Wn --type thin -V "${mib}M" --thinpool "${path#*/}" -n "$name" "$@" \
		"${path%/*}"
}

# lvm_snapshot GROUP/ORIGIN NAME [OPTION...]
lvm_snapshot() {
	local origin=$1 name=$2
	shift 2
	lvcreate -q -y -s -n "$name" "$@" "$origin"
}

# What LVM knows of a volume: lv_field GROUP/NAME FIELD
lv_field() {
	lvs --noheadings --nosuffix --units s -o "$2" "$1" | tr -d ' '
}

# What a stream tells of its pool, and the names of its volumes in one line.
catalog() { thinexport dump --json "$1" | jq -c 'select(.kind == "CATALOG") | .catalog'; }
names() { catalog "$1" | jq -r '.volumes[].name' | sort | tr '\n' ' '; }
