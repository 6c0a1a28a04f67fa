# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the scripts of this folder have in common.  They need root, device-mapper
# and its tools, and no particular machine: tests/qemu boots one for them, and
# on any other they run as `bash tests/vm/NAME.sh`, in a place of their own.
#
#	. "$(dirname "$0")/lib.sh"
#	needs thin_check fio
#	needs_target thin-pool
#
#	a_new_pool_is_clean() {
#		...			every command must succeed
#		fails_with 'in use' thinexport receive ...
#	}
#	run_tests a_new_pool_is_clean ...
#
# A test is a function whose name is its sentence.  It runs in a subshell under
# set -e; what it prints is shown when it fails.  What it makes through the
# functions below is taken down when the script ends, whatever happened, newest
# first; of its own things it says so with `later COMMAND...`.
#
# KTAP on standard output; exit status 0 passed, 1 failed, 4 skipped as a whole.

set -u -o pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

TE_TMP=$(mktemp -d "${TMPDIR:-/tmp}/te-vm.XXXXXX")
te_tag=te$$
# Devices may not be waited for where there is no udev.
[ -d /run/udev ] || export DM_DISABLE_UDEV=1

#
# Running
#

skip_all() { # skip_all REASON
	echo "1..0 # SKIP $*"
	exit 4
}

needs() { # needs PROGRAM...
	local program
	for program; do
		type -P "$program" >/dev/null || skip_all "$program is not installed"
	done
}

has_target() { # has_target NAME: a device-mapper target
	modprobe -q "dm-$1" 2>/dev/null || true
	dmsetup targets | grep -q "^$1 "
}

needs_target() { # needs_target NAME...
	local target
	for target; do
		has_target "$target" || skip_all "no device-mapper target $target"
	done
}

# Loads our module: from TE_MODULE, else as installed.
load_module() {
	[ -d /sys/module/dm_thinexport ] && return
	if [ -e "${TE_MODULE:-}" ]; then
		modprobe -q dm-bufio || true
		modprobe -q libcrc32c || true
		insmod "$TE_MODULE"
	else
		modprobe dm-thinexport
	fi
}

needs_module() {
	load_module 2>/dev/null || skip_all "the module dm-thinexport is not built or installed"
}

later() { # later COMMAND...: run when the script ends, before what was said earlier
	# One write: it may be said by several processes at once.
	printf '%s\n' "$(printf '%q ' "$@")" >>"$TE_TMP/later"
}

# te_undo KEEP: does what was put off, newest first, but for the first KEEP.
te_undo() {
	local line
	[ -e "$TE_TMP/later" ] || return 0
	tail -n +$(($1 + 1)) "$TE_TMP/later" | tac >"$TE_TMP/undo"
	head -n "$1" "$TE_TMP/later" >"$TE_TMP/kept"
	mv "$TE_TMP/kept" "$TE_TMP/later"
	while read -r line; do
		eval "$line" >/dev/null 2>&1 </dev/null
	done <"$TE_TMP/undo"
}

te_end() {
	local status=$?
	trap - EXIT
	set +e
	te_undo 0
	rm -rf "$TE_TMP"
	exit "$status"
}
trap te_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

skip() { # in a test: skip REASON
	echo "$*" >"$TE_TMP/skip"
	exit 4
}

# For what no kernel has a part in, or what takes long.
on_one_kernel() { [ "${TE_KERNEL:-}" != 6.12 ] || skip "one kernel is enough"; }

run_tests() { # run_tests TEST...: or those of them that TE_TESTS names
	local test status number=0 failed=0 kept began
	[ $EUID -eq 0 ] || skip_all "not root"
	# shellcheck disable=SC2086
	[ -z "${TE_TESTS:-}" ] || set -- $TE_TESTS
	echo "KTAP version 1"
	echo "1..$#"
	for test; do
		number=$((number + 1))
		began=$SECONDS
		kept=$(cat "$TE_TMP/later" 2>/dev/null | wc -l)
		(
			trap - EXIT
			trap 'echo "line $LINENO: $BASH_COMMAND: exit status $?"' ERR
			set -eE
			"$test"
		) >"$TE_TMP/output" 2>&1 </dev/null
		status=$?
		# jq -e has this status too.
		[ $status -ne 4 ] || [ -e "$TE_TMP/skip" ] || status=1
		echo "# $((SECONDS - began)) s"
		case $status in
		0) echo "ok $number ${test//_/ }" ;;
		4)
			echo "ok $number ${test//_/ } # SKIP $(cat "$TE_TMP/skip")"
			rm "$TE_TMP/skip"
			;;
		*)
			tail -n 60 "$TE_TMP/output" | sed 's/^/# /'
			echo "not ok $number ${test//_/ }"
			failed=1
			# What it has left must not make the next ones fail.
			te_undo "$kept"
			;;
		esac
	done
	exit $failed
}

#
# Judging
#

fails() { # fails COMMAND...: it must, by itself and not by a signal
	local status=0
	"$@" || status=$?
	if [ $status -eq 0 ]; then
		echo "did not fail: $*"
		return 1
	fi
	if [ $status -ge 124 ]; then
		echo "died with $status: $*"
		return 1
	fi
}

fails_with() { # fails_with PATTERN COMMAND...: and says so
	local pattern=$1
	shift
	fails "$@" 2>"$TE_TMP/said"
	cat "$TE_TMP/said"
	if ! grep -qE -- "$pattern" "$TE_TMP/said"; then
		echo "did not say '$pattern': $*"
		return 1
	fi
}

wait_for() { # wait_for SECONDS COMMAND...: until it succeeds
	local end=$((EPOCHSECONDS + $1 * ${TE_SLOW:-1}))
	shift
	until "$@"; do
		if [ "$EPOCHSECONDS" -ge $end ]; then
			echo "did not come about: $*"
			return 1
		fi
		sleep 0.1
	done
}

sum() { # sum FILE [BYTES]: one checksum of the first BYTES, or of all
	if [ $# -gt 1 ]; then
		head -c "$2" "$1" | md5sum | cut -d' ' -f1
	else
		md5sum <"$1" | cut -d' ' -f1
	fi
}

same_device() { [ "$(stat -Lc %t:%T "$1")" = "$(stat -Lc %t:%T "$2")" ]; }

size_of() { blockdev --getsz "$1"; }	# in sectors

#
# Disks
#

# disk MIB: prints the path of a new one, all zeros.  A slice of TE_SCRATCH when
# there is such a device, else a loop device over a sparse file.
disk() {
	local mib=$1 name number start file
	number=$(cat "$TE_TMP/disks" 2>/dev/null || echo 0)
	echo $((number + 1)) >"$TE_TMP/disks"
	if [ -n "${TE_SCRATCH:-}" ]; then
		name=$te_tag-disk$number
		start=$(cat "$TE_TMP/start" 2>/dev/null || echo 2048)
		echo $((start + mib * 2048)) >"$TE_TMP/start"
		dmsetup create "$name" --table "0 $((mib * 2048)) linear $TE_SCRATCH $start" || return
		later dmsetup remove --retry "$name"
		blkdiscard -z "/dev/mapper/$name" || return
		echo "/dev/mapper/$name"
	else
		file=$TE_TMP/disk$number
		truncate -s "${mib}M" "$file"
		name=$(losetup -f --show --direct-io=on "$file" 2>/dev/null || losetup -f --show "$file") ||
			return
		later losetup -d "$name"
		echo "$name"
	fi
}

# ram_disks NUMBER MIB: brd's; prints their paths, a line each.
ram_disks() {
	local number
	modprobe brd rd_nr="$1" rd_size=$(($2 * 1024)) max_part=0 || return
	later modprobe -r brd
	for ((number = 0; number < $1; number++)); do
		echo "/dev/ram$number"
	done
}

# slow_disks: prints the paths of the disks of TE_DISK_RATE (tests/qemu/run).
slow_disks() {
	local serial
	for serial in /sys/block/vd*/serial; do
		! grep -q '^slow' "$serial" || echo "/dev/$(basename "${serial%/serial}")"
	done
}

# scsi_disks NUMBER MIB [PARAMETER=VALUE...]: scsi_debug's, each with a store of
# its own, with discard; prints their paths.
scsi_disks() {
	local number=$1 mib=$2
	shift 2
	modprobe -q sd_mod || true
	modprobe scsi_debug add_host="$number" per_host_store=1 dev_size_mb="$mib" delay=0 \
		lbpu=1 lbpws=1 lbprz=1 "$@" || return
	later modprobe -r scsi_debug
	wait_for 20 te_scsi_disks_are "$number" >&2 || return
	te_scsi_disks
}
te_scsi_disks() {
	local device
	for device in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*; do
		[ -e "$device" ] && echo "/dev/${device##*/}"
	done
}
te_scsi_disks_are() { [ "$(te_scsi_disks | wc -l)" -eq "$1" ]; }

# raid5 NAME CHUNK_KIB DISK...: prints its path.  Its parity stands (--assume-clean
# is true of zeros).
raid5() {
	local name=$1 chunk=$2
	shift 2
	modprobe -q raid456 || true
	mdadm --quiet --create "/dev/md/$name" --run --level=5 --chunk="$chunk" --assume-clean \
		--bitmap=none --metadata=1.2 --raid-devices=$# "$@" >&2 || return
	later mdadm --quiet --stop "/dev/md/$name"
	realpath "/dev/md/$name"
}

#
# Thin pools.  A pool is named by its device-mapper name; ids and names of its
# volumes are the caller's.
#

# pool NAME METADATA DATA [BLOCK_SECTORS [FEATURE...]]: a new one, active.
pool() {
	dd if=/dev/zero of="$2" bs=4096 count=1 conv=fsync status=none || return
	pool_open "$@"
}

# pool_open: as pool, of one that exists.
pool_open() {
	local name=$1 metadata=$2 data=$3 block=${4:-128}
	shift $(($# < 4 ? $# : 4))
	dmsetup create "$name" --table \
		"0 $(size_of "$data") thin-pool $metadata $data $block 0 $# $*" || return
	later dmsetup remove --retry "$name"
}

message() { # message POOL WORD...
	local pool=$1
	shift
	dmsetup message "$pool" 0 "$*"
}

# activate POOL ID MIB NAME [OPTION...]: /dev/mapper/NAME
activate() {
	local pool=$1 id=$2 mib=$3 name=$4
	shift 4
	dmsetup create "$name" "$@" --table "0 $((mib * 2048)) thin /dev/mapper/$pool $id" || return
	later dmsetup remove --retry "$name"
}

deactivate() { # deactivate NAME...
	local name
	for name; do dmsetup remove --retry "$name" || return; done
}

# volume POOL ID MIB NAME: a new one, active.
volume() {
	message "$1" create_thin "$2" && activate "$@"
}

# snapshot POOL ID ORIGIN_ID: a new one, not active.  The pool's suspension is that of
# all its active volumes.
snapshot() {
	local status=0
	dmsetup suspend "$1" || return
	message "$1" create_snap "$2" "$3" || status=$?
	dmsetup resume "$1" || return
	return $status
}

# Both devices of a pool, from its table: "METADATA DATA" as paths.
pool_devices() {
	local metadata data
	read -r _ _ _ metadata data _ < <(dmsetup table "$1")
	echo "$(te_node "$metadata") $(te_node "$data")"
}
te_node() { # te_node MAJOR:MINOR: its path
	local name
	name=$(sed -n 's/^DEVNAME=//p' "/sys/dev/block/$1/uevent")
	echo "/dev/$name"
}

#
# Contents.  Every 4 KiB of a pattern tells its seed and its place, so nothing
# that is moved, left out or mixed up looks right.
#

fill() { # fill DEVICE SEED [OFFSET_KIB KIB]
	te_pattern write "$@"
}

holds() { # holds DEVICE SEED [OFFSET_KIB KIB]
	te_pattern check "$@"
}

te_pattern() {
	type -P pattern >/dev/null || { echo "no program 'pattern': make vm-programs"; return 1; }
	pattern "$@"
}
