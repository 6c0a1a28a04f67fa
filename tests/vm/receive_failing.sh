#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernel: 6.1
# timeout: 400
#
# Devices that may not become a pool are refused, and what fails or is killed on
# the way leaves none.
. "$(dirname "$0")/lib.sh"
needs dmsetup thin_check blkid mdadm thinexport
needs_target thin-pool flakey

metadata=$(disk 8)
data=$(disk 48)
stream=$TE_TMP/stream

# Some 32 MiB of data in two volumes.
make_stream() {
	local from_metadata from_data
	from_metadata=$(disk 8)
	from_data=$(disk 48)
	pool p "$from_metadata" "$from_data"
	volume p 0 32 v0
	fill /dev/mapper/v0 1
	snapshot p 1 0
	deactivate v0 p
	thinexport send --metadata "$from_metadata" --data "$from_data" -o "$stream"
}

receive() { # receive METADATA DATA OPTION...
	local metadata=$1 data=$2
	shift 2
	thinexport receive -i "$stream" --metadata "$metadata" --data "$data" "$@"
}

no_pool() { # no_pool METADATA
	fails thin_check -q "$1"
	[ "$(od -An -tu8 -j32 -N8 "$1" | tr -d ' ')" -ne 27022010 ]
	fails blkid -p "$1"
}

wipe() { dd if=/dev/zero of="$1" bs=1M count=1 conv=fsync status=none; }

one_block_too_small_is_refused_and_the_shortfall_named() {
	make_stream
	dmsetup create small --table "0 $((512 * 128 - 128)) linear $data 0"
	later dmsetup remove --retry small
	fails_with ' 65536 bytes more are needed' receive "$metadata" /dev/mapper/small
	cmp -n $((1 << 20)) "$data" /dev/zero
	dmsetup remove --retry small
}

just_large_enough_is_enough() {
	dmsetup create exact --table "0 $((512 * 128)) linear $data 0"
	later dmsetup remove --retry exact
	receive "$metadata" /dev/mapper/exact
	pool_open q "$metadata" /dev/mapper/exact
	activate q 0 32 q0
	activate q 1 32 q1
	holds /dev/mapper/q0 1
	holds /dev/mapper/q1 1
	deactivate q0 q1 q exact
	wipe "$metadata"
	wipe "$data"
}

what_is_in_use_is_refused() {
	pool u "$metadata" "$data"
	fails_with 'is in use' receive "$metadata" "$data" --force
	fails_with 'is in use' receive "$(disk 8)" "$data" --force
	deactivate u
	wipe "$metadata"
	mkfs.ext4 -q "$data"
	mkdir -p "$TE_TMP/mnt"
	mount "$data" "$TE_TMP/mnt"
	later umount "$TE_TMP/mnt"
	fails_with "$data is in use" receive "$metadata" "$data" --force
	umount "$TE_TMP/mnt"
	fails_with 'holds a signature of ext4' receive "$metadata" "$data"
	wipe "$data"
}

a_member_of_an_array_is_refused() {
	local one two
	one=$(disk 48)
	two=$(disk 48)
	modprobe -q raid1 || true
	mdadm --quiet --create /dev/md/m --run --level=1 --assume-clean --metadata=1.2 \
		--bitmap=none --raid-devices=2 "$one" "$two"
	later mdadm --quiet --stop /dev/md/m
	fails_with 'is in use' receive "$metadata" "$one" --force
	mdadm --quiet --stop /dev/md/m
	fails_with 'holds a signature of linux_raid_member' receive "$metadata" "$one"
}

one_device_twice_is_refused_by_whatever_name() {
	ln -sf "$data" "$TE_TMP/alias"
	fails_with 'are the same' receive "$data" "$TE_TMP/alias"
}

a_read_only_device_is_refused() {
	blockdev --setro "$data"
	fails receive "$metadata" "$data" 2>"$TE_TMP/said"
	blockdev --setrw "$data"
	cat "$TE_TMP/said"
	grep -qE "read-only|Permission denied|Read-only" "$TE_TMP/said"
}

# fails_behind NAME SECTORS DEVICE: writes behind so many sectors fail.
fails_behind() {
	local rest=$(($(size_of "$3") - $2))
	dmsetup create "$1" --table "0 $2 linear $3 0
$2 $rest flakey $3 $2 0 1000 1 error_writes" || return
	later dmsetup remove --retry "$1"
}

an_io_error_leaves_no_pool() {
	fails_behind broken 32768 "$data"
	fails_with 'broken: cannot write at byte' receive "$metadata" /dev/mapper/broken
	no_pool "$metadata"
	dmsetup remove --retry broken
	wipe "$data"

	fails_behind broken 16 "$metadata"
	fails_with 'broken: cannot' receive /dev/mapper/broken "$data"
	dmsetup remove --retry broken
	no_pool "$metadata"
	wipe "$data"

	# Not even the superblock's place can be read.
	dmsetup create broken --table "0 $(size_of "$metadata") error"
	fails_with 'cannot look for signatures' receive /dev/mapper/broken "$data"
	fails_with 'broken: cannot flush to disk' receive /dev/mapper/broken "$data" --force
	dmsetup remove --retry broken
}

a_device_that_drops_its_writes_is_found_out() {
	dmsetup create flakey --table \
		"0 $(size_of "$metadata") flakey $metadata 0 0 1000 1 drop_writes"
	later dmsetup remove --retry flakey
	fails_with 'flakey: metadata block [0-9]* does not read back' \
		receive /dev/mapper/flakey "$data"
	dmsetup remove --retry flakey
	no_pool "$metadata"
	wipe "$data"
}

metadata_that_runs_full_leaves_no_pool() {
	# 512 mappings need three leaves and a root; the bitmaps and the rest ten more.
	dmsetup create narrow --table "0 96 linear $metadata 0"
	later dmsetup remove --retry narrow
	fails receive /dev/mapper/narrow "$data"
	dmsetup remove --retry narrow
	no_pool "$metadata"
	wipe "$data"
}

a_kill_at_any_moment_leaves_no_pool_or_the_whole() {
	local round killed=0 whole=0
	for ((round = 0; round < 25; round++)); do
		wipe "$metadata"
		# Itself, not a shell around it.
		thinexport receive --force -i "$stream" --metadata "$metadata" --data "$data" \
			2>/dev/null &
		sleep "0.$(printf %03d $((RANDOM % 900)))"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		blockdev --flushbufs "$metadata"
		if thin_check -q "$metadata" 2>/dev/null; then
			whole=$((whole + 1))
			pool_open q "$metadata" "$data"
			activate q 1 32 q1
			holds /dev/mapper/q1 1
			deactivate q1 q
		else
			killed=$((killed + 1))
			no_pool "$metadata"
		fi
	done
	echo "$killed killed in time, $whole not"
	[ $killed -gt 0 ]
}

run_tests \
	one_block_too_small_is_refused_and_the_shortfall_named \
	just_large_enough_is_enough \
	what_is_in_use_is_refused \
	a_member_of_an_array_is_refused \
	one_device_twice_is_refused_by_whatever_name \
	a_read_only_device_is_refused \
	an_io_error_leaves_no_pool \
	a_device_that_drops_its_writes_is_found_out \
	metadata_that_runs_full_leaves_no_pool \
	a_kill_at_any_moment_leaves_no_pool_or_the_whole
