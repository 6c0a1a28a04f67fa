#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Pools that cannot be frozen: each is refused in words, and nothing changes.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
needs dmsetup busybox thinexport
needs_target thin-pool delay linear error

# Status, tables and suspension of everything there is.
state() {
	dmsetup status
	dmsetup table
	dmsetup info -c --noheadings -o name,uuid,suspended,readonly
	ls $te_records
}

# refused PATTERN ARGUMENT...: send is, in these words, and all is as before.
refused() {
	local pattern=$1
	shift
	state >"$TE_TMP/before"
	fails_with "$pattern" thinexport send --direct "$@" -o "$TE_TMP/stream"
	state >"$TE_TMP/after"
	diff "$TE_TMP/before" "$TE_TMP/after"
	[ ! -e "$TE_TMP/stream" ]
}

# One tiny pool for what does not change it.
begin() {
	small_pool p
}
end() {
	deactivate v0 v1 p
}

a_second_sender_is_refused_with_the_first_one_s_pid() {
	begin
	hold_sender --direct p
	refused "p: another thinexport is at work on this pool \(process $te_sender\)" p
	fails_with 'another thinexport is at work' thinexport cleanup p
	fails_with 'another thinexport is at work' thinexport view open p seen ||
		grep -q "no target 'thinexport'" "$TE_TMP/said"
	end_sender
	nothing_is_left p
	end
}

a_foreign_metadata_snapshot_is_left_alone() {
	local held
	begin
	message p reserve_metadata_snap
	held=$(held_root p)
	refused 'has a metadata snapshot \(block [0-9]+\) that is not ours' p
	thinexport cleanup p
	[ "$(held_root p)" = "$held" ]
	message p release_metadata_snap
	end
}

what_is_no_pool_is_told_so() {
	begin
	refused "v0 is not a thin pool: it is a device of type 'thin'" v0
	refused 'nowhere: no such device-mapper device' nowhere
	refused '/dev/null: no such device-mapper device' /dev/null
	refused 'not a thin pool.*-tpool' "$(disk 8)"
	end
}

volumes_that_are_not_there_are_told() {
	begin
	refused 'the pool has no volume v9' --volume v9 p
	refused 'the pool has no volume 7' --volume 0 --volume 7 p
	refused 'the pool has no volume 99999999' --volume 99999999 p
	end
}

an_empty_pool_is_refused() {
	pool p "$(disk 16)" "$(disk 64)"
	refused 'the pool has no volumes' p
	deactivate p
}

nobody_but_root_may() {
	begin
	cp "$(type -P thinexport)" "$TE_TMP/thinexport"
	chmod 755 "$TE_TMP" "$TE_TMP/thinexport"
	fails_with 'run this as root' busybox su -s /bin/sh nobody -c \
		"$TE_TMP/thinexport send --direct p >/dev/null"
	end
}

a_suspended_pool_is_refused() {
	begin
	dmsetup suspend p
	refused 'the pool is suspended by someone else' p
	dmsetup resume p
	end
}

a_suspended_volume_is_refused() {
	begin
	dmsetup suspend v1
	refused 'v1 is suspended by someone else' p
	dmsetup resume v1
	dmsetup reload v0 --table "$(dmsetup table v0)"
	refused 'v0 is being changed by someone else' p
	dmsetup clear v0
	dmsetup reload p --table "$(dmsetup table p)"
	refused "is changing the pool's table" p
	dmsetup clear p
	end
}

an_external_origin_is_refused() {
	local origin
	begin
	origin=$(disk 32)
	message p create_thin 5
	dmsetup create outside --table "0 65536 thin /dev/mapper/p 5 $origin"
	later dmsetup remove --retry outside
	refused 'outside has an external origin' p
	refused 'outside has an external origin' --volume outside p
	thinexport send --direct --volume v0 -o "$TE_TMP/one" p
	deactivate outside
	end
}

a_read_only_pool_is_refused() {
	begin
	deactivate v0 v1
	local table
	table=$(dmsetup table p)
	dmsetup remove --retry p
	dmsetup create p --table "${table/ 0 0/ 0 1 read_only}"
	refused 'the pool is read-only or out of metadata space' p
	deactivate p
}

a_pool_out_of_data_is_refused() {
	pool p "$(disk 16)" "$(disk 16)" 128 error_if_no_space
	volume p 0 64 v0
	dd if=/dev/zero of=/dev/mapper/v0 bs=1M count=64 oflag=direct status=none || true
	dmsetup status p
	refused 'the pool is out of data space' p
	deactivate v0 p
}

a_pool_nearly_out_of_metadata_is_refused() {
	local id
	pool p "$(disk 1)" "$(disk 64)"
	# 256 metadata blocks; each volume takes one.
	for ((id = 0; id < 160; id++)); do
		message p create_thin $id
	done
	dmsetup status p
	refused 'want [0-9]+ free metadata blocks, the pool has' p
	for ((; id < 250; id++)); do
		message p create_thin $id 2>/dev/null || break
	done
	dmsetup status p
	refused 'metadata blocks are in use|out of metadata space|needs a check' p
	deactivate p
}

a_pool_whose_metadata_fails_is_refused() {
	local metadata
	metadata=$(disk 16)
	dmsetup create below --table "0 32768 linear $metadata 0"
	later dmsetup remove --retry below
	pool p /dev/mapper/below "$(disk 64)"
	volume p 0 32 v0
	dmsetup suspend --noflush below
	dmsetup reload below --table '0 32768 error'
	dmsetup resume below
	message p create_thin 1 || true
	dd if=/dev/zero of=/dev/mapper/v0 bs=4k count=1 oflag=direct conv=fsync status=none || true
	wait_for 10 is_out_of_order p
	dmsetup status p
	refused 'the pool has failed|needs a check|is read-only' p
	deactivate v0 p below
}
is_out_of_order() { dmsetup status "$1" | grep -E 'Fail|Error|ro |needs_check'; }

run_tests \
	a_second_sender_is_refused_with_the_first_one_s_pid \
	a_foreign_metadata_snapshot_is_left_alone \
	what_is_no_pool_is_told_so \
	volumes_that_are_not_there_are_told \
	an_empty_pool_is_refused \
	nobody_but_root_may \
	a_suspended_pool_is_refused \
	a_suspended_volume_is_refused \
	an_external_origin_is_refused \
	a_read_only_pool_is_refused \
	a_pool_out_of_data_is_refused \
	a_pool_nearly_out_of_metadata_is_refused \
	a_pool_whose_metadata_fails_is_refused
