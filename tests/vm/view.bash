# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the view's scripts have in common: a pool `p` with volumes of every kind, and
# one moment of it to look at.
#
#	id	what it is
#	0	written, with a hole discarded into it
#	3	its snapshot, taken before much of 0 was written again
#	7	every other block written, backwards: no two neighbours in the pool
#	9	never written
#	4	somebody else's: full of the word SECRET
#
# Pins are snapshots with the id + 1000.

volume_mib=64
chosen='0 3 7 9'

# On the devices $metadata and $data.
view_pool() {
	pool p "$metadata" "$data" || return
	volume p 0 $volume_mib v0 &&
	fill /dev/mapper/v0 1 0 16384 &&
	volume p 4 $volume_mib v4 || return
	awk 'BEGIN { for (; n < 131072; n++) print "SECRET of somebody else\047s pool." }' |
		dd of=/dev/mapper/v4 bs=1M iflag=fullblock oflag=direct status=none || return
	blkdiscard -o 3145728 -l 2097152 /dev/mapper/v0 &&
	snapshot p 3 0 &&
	fill /dev/mapper/v0 2 2048 6144 &&
	volume p 7 $volume_mib v7 || return
	local block
	for ((block = 120; block >= 0; block -= 2)); do
		fill /dev/mapper/v7 3 $((block * 64)) 64 || return
	done
	message p create_thin 9
}

# freeze: all chosen volumes at one moment, pinned, and a metadata snapshot of it.
freeze() {
	local id
	dmsetup suspend p || return
	for id in $chosen; do
		message p create_snap $((1000 + id)) "$id" || return
	done
	message p reserve_metadata_snap || return
	dmsetup resume p || return
	for id in $chosen; do
		activate p $((1000 + id)) $volume_mib "pin$id" --readonly || return
	done
}

# view NAME ARGUMENT...: long enough for any.  Arguments start with the features.
view() {
	local name=$1
	shift
	dmsetup create "$name" --readonly --table \
		"0 ${view_sectors:-1048576} thinexport $metadata $data $*" || return
	later dmsetup remove --retry "$name"
}

# The arguments that name volumes with their pins, as in a table.
pinned() { # pinned ID...
	local id
	printf '%d' $#
	for id; do printf ' %d /dev/mapper/pin%d' "$id" "$id"; done
}

# image FILE held|superblock ID...: the same view, computed in userspace.
image() {
	local file=$1 root=$2 id arguments=()
	shift 2
	for id; do arguments+=("$id=$((volume_mib * 2048))"); done
	view_image "$metadata" "$data" "$root" "${arguments[@]}" >"$file"
}

# field VIEW OFFSET [BYTES]: an unsigned number of the view's header.
field() { od -An -v -t "u${3:-8}" -j "$2" -N "${3:-8}" "$1" | tr -d ' '; }

status_field() { # status_field VIEW NUMBER: from 1
	dmsetup status "$1" | cut -d' ' -f $((3 + $2))
}

# The kernel log since mark_log.
mark_log() { echo 'te: mark' >/dev/kmsg; }
log_since() { dmesg | awk '/te: mark/ { said = "" } { said = said $0 "\n" } END { printf "%s", said }'; }

# refused WORDS NAME ARGUMENT...: such a table is not loaded, and the kernel log says
# why in just these words.
refused() {
	local words=$1
	shift
	mark_log
	fails view "$@" || return
	if ! log_since | grep -qF ": thinexport: $words ("; then
		log_since
		echo "the log does not say '$words'"
		return 1
	fi
}
