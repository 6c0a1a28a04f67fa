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

# Received onto two disks, checked, and open as the pool `there`: arrives STREAM
arrives() {
	local metadata data
	metadata=$(disk 16)
	data=$(disk 64)
	thinexport receive -i "$1" --metadata "$metadata" --data "$data"
	thin_check "$metadata"
	pool_open there "$metadata" "$data"
}

# LVM as it is, but for the command whose words begin with VERB and hold WORD: that
# fails, before or after its work (WHEN); or its caller is killed as it begins; or another
# change of the group `new` slips in behind it.
broken_lvm() {
	mkdir -p "$TE_TMP/broken"
	cat >"$TE_TMP/broken/lvm" <<-END
		#!/bin/bash
		real=$(type -P lvm)
		[ "\$1" = "\$VERB" ] && [[ "\$*" == *"\$WORD"* ]] || exec \$real "\$@"
		case \$WHEN in
		killed) kill -KILL \$PPID; exec \$real "\$@" ;;
		after) \$real "\$@" ;;
		changed) \$real "\$@" && exec \$real vgchange --nolocking -q --addtag more new ;;
		esac
		echo broken >&2
		exit 5
	END
	chmod +x "$TE_TMP/broken/lvm"
}

with_broken_lvm() { # with_broken_lvm WHEN VERB WORD COMMAND...
	env PATH="$TE_TMP/broken:$PATH" WHEN="$1" VERB="$2" WORD="$3" "${@:4}"
}

# What thin_ls counts of the pool's volumes, by name: NAME MAPPED EXCLUSIVE, in blocks.
# The pool is inactive meanwhile.
counted() { # counted GROUP/POOL
	local group=${1%/*}
	vgchange -q -an "$group" >&2
	lvchange -q -ay -y "$1_tmeta" >&2
	thin_check -q "/dev/$1_tmeta" || return
	awk 'NR == FNR { name[$1] = $2; next } { print name[$1], $2, $3 }' \
		<(lvs --noheadings -o thin_id,lv_name -S "pool_lv=${1#*/}" "$group") \
		<(thin_ls --no-headers --format DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS "/dev/$1_tmeta") | sort
	lvchange -q -an "$1_tmeta" >&2
	vgchange -q -ay "$group" >&2
}

# For what is received into the pool new/pool, in which there is a volume "mine":
# all that is to stay as it is, the blocks that the pool has given out too.
state() {
	lvs -a --noheadings -o lv_name,lv_uuid,lv_attr,lv_size,lv_tags,thin_id,seg_pe_ranges new
	dmsetup status new-pool-tpool | cut -d' ' -f6
	dmsetup ls | cut -f1 | sort
}

nothing_has_changed() {
	state >"$TE_TMP/now"
	diff "$TE_TMP/before" "$TE_TMP/now"
	sum /dev/new/mine | diff "$TE_TMP/mine" -
	vgck new
	dmsetup status new-pool-tpool | grep ' rw '
}
