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

has_waited() { # has_waited NUMBER: writes at least have waited at the passdown p
	[ "$(status p waited)" -ge "$1" ]
}

discard() { # discard DEVICE OFFSET_KIB KIB: also of one that another device holds
	blkdiscard -f -o $(($2 << 10)) -l $(($3 << 10)) "$1"
}

is_zero() { # is_zero DEVICE OFFSET_KIB KIB
	dd if="$1" bs=4k skip=$(($2 / 4)) count=$(($3 / 4)) iflag=direct status=none |
		cmp -n $(($3 << 10)) - /dev/zero
}

# md_array LEVEL CHUNK_KIB DISK...: /dev/md/te of any level; prints its path.  Its
# parity stands, and RAID 4, 5 and 6 hand discards on.
md_array() {
	local level=$1 options=()
	case $level in
	linear) options=(--rounding=64) ;;
	0) options=(--chunk="$2") ;;
	1) options=(--assume-clean --bitmap=none) ;;
	*) options=(--chunk="$2" --assume-clean --bitmap=none) ;;
	esac
	shift 2
	modprobe -q raid456 || true
	echo Y >/sys/module/raid456/parameters/devices_handle_discard_safely || return
	mdadm --quiet --create /dev/md/te --run --level="$level" "${options[@]}" --metadata=1.2 \
		--raid-devices=$# "$@" >&2 || return
	later mdadm --quiet --stop /dev/md/te
	realpath /dev/md/te
}

stop_array() {
	mdadm --quiet --stop /dev/md/te
}

# state_of MD FILE [VALUE]: what md says of it, or is told.
state_of() {
	local file=/sys/block/${1##*/}/md/$2
	if [ $# -gt 2 ]; then echo "$3" >"$file"; else cat "$file"; fi
}

is_consistent() { # is_consistent MD: parity and copies are those of the data
	wait_for 60 is_idle "$1"
	state_of "$1" sync_action check
	wait_for 60 is_idle "$1"
	[ "$(state_of "$1" mismatch_cnt)" -eq 0 ]
}
is_idle() { [ "$(state_of "$1" sync_action)" = idle ]; }

# sparse_disks NUMBER MIB: disks in $sparse_disks that take as much room as was written
# to them and not discarded since; used_kib tells how much that is, of all of them.
sparse_disks() {
	local number=$1 mib=$2 file
	sparse_disks=()
	rm -f "$TE_TMP"/sparse*
	while [ "$number" -gt 0 ]; do
		number=$((number - 1))
		file=$TE_TMP/sparse$number
		truncate -s "${mib}M" "$file" || return
		sparse_disks+=("$(losetup -f --show "$file")") || return
		later losetup -d "${sparse_disks[-1]}"
	done
}
used_kib() {
	stat -c %b "$TE_TMP"/sparse* | awk '{ sectors += $1 } END { print sectors / 2 }'
}
end_sparse_disks() {
	losetup -d "${sparse_disks[@]}"
}

# slow_discards DEVICE MILLISECONDS: /dev/nbd0, which is DEVICE but for discards that
# take so long.  From hold_discards on they are held, until release_discards.
slow_discards() {
	modprobe nbd nbds_max=1 max_part=0 || return
	command slow_discards /dev/nbd0 "$1" "$2" "$TE_TMP/hold" &
	te_slow_discards=$!
	later modprobe -r nbd
	later wait_for 20 fails kill -0 $te_slow_discards
	later kill $te_slow_discards
	wait_for 20 te_has_size /dev/nbd0
}
te_has_size() { [ "$(size_of "$1")" -gt 0 ]; }

hold_discards() {
	rm -f "$TE_TMP/hold.held"
	touch "$TE_TMP/hold"
	# Should the test fail, what waits for them must not hang.
	later rm -f "$TE_TMP/hold"
}
release_discards() { rm "$TE_TMP/hold"; }
a_discard_is_held() { [ -e "$TE_TMP/hold.held" ]; }

end_slow_discards() {
	kill $te_slow_discards
	wait $te_slow_discards
	modprobe -r nbd
}

# freeze_free_blocks POOL PASSDOWN: the guard begins; the pool's free blocks of that
# moment, in runs "FIRST NUMBER", are left in $TE_TMP/free.
freeze_free_blocks() {
	local metadata data blocks
	read -r metadata data < <(pool_devices "$1")
	blocks=$(($(size_of "$data") / 128))
	dmsetup suspend "$1" || return
	message "$2" guard_begin && message "$1" reserve_metadata_snap || return
	dmsetup resume "$1" || return
	thin_dump -m "$metadata" | awk -F '"' -v blocks="$blocks" '
		/<single_mapping/ { used[$4] }
		/<range_mapping/ { for (i = 0; i < $6; i++) used[$4 + i] }
		END {
			for (i = 0; i <= blocks; i++)
				if (i < blocks && !(i in used))
					free++
				else if (free) {
					print i - free, free
					free = 0
				}
		}' >"$TE_TMP/free"
	message "$1" release_metadata_snap
}

# discard_frozen PASSDOWN: these, and the guard ends.
discard_frozen() {
	local first number
	while read -r first number; do
		discard "/dev/mapper/$1" $((first * 64)) $((number * 64)) || return
	done <"$TE_TMP/free"
	message "$1" guard_end
}
