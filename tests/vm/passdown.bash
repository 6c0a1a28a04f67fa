# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the scripts on passdown: arrays that discard, the target, its status.  Comes
# after lib.sh.

# safe_raid5 NAME CHUNK_KIB DISK...: as raid5, of an array that hands discards on.
safe_raid5() {
	modprobe -q raid456 || true
	echo Y >/sys/module/raid456/parameters/devices_handle_discard_safely || return
	raid5 "$@"
}

# passdown NAME DEVICE [FEATURE...]: the target over all of it, as /dev/mapper/NAME.
passdown() {
	local name=$1 device=$2
	shift 2
	dmsetup create "$name" --table "$(passdown_table "$device" "$@")" || return
	later dmsetup remove --retry "$name"
}
passdown_table() { # passdown_table DEVICE [FEATURE...]
	local device=$1
	shift
	echo "0 $(size_of "$device") thin-passdown $device 0 $# $*"
}

change() { # change NAME DEVICE [FEATURE...]: another table
	local name=$1
	shift
	dmsetup reload "$name" --table "$(passdown_table "$@")" || return
	dmsetup suspend "$name" && dmsetup resume "$name"
}

# status NAME FIELD: a field of its status by the name that the target's page gives it.
status() {
	local fields
	read -ra fields < <(dmsetup status "$1")
	case $2 in
	unit) echo "${fields[3]}" ;;
	stripe) echo "${fields[4]}" ;;
	free) echo "${fields[5]}" ;;
	trimmed) echo "${fields[6]}" ;;
	due) echo "${fields[7]}" ;;
	passed) echo "${fields[8]}" ;;
	discards) echo "${fields[9]}" ;;
	guarded) echo "${fields[10]}" ;;
	waited) echo "${fields[11]}" ;;
	errors) echo "${fields[12]}" ;;
	mode) echo "${fields[13]}" ;;
	guard) echo "${fields[14]}" ;;
	way) echo "${fields[15]}" ;;
	esac
}

is() { # is NAME FIELD VALUE
	[ "$(status "$1" "$2")" = "$3" ] || { dmsetup status "$1"; echo "$2 is not $3"; return 1; }
}

discard() { # discard DEVICE OFFSET_KIB KIB
	blkdiscard -o $(($2 << 10)) -l $(($3 << 10)) "$1"
}

is_zero() { # is_zero DEVICE OFFSET_KIB KIB
	dd if="$1" bs=4k skip=$(($2 / 4)) count=$(($3 / 4)) iflag=direct status=none |
		cmp -n $(($3 << 10)) - /dev/zero
}
