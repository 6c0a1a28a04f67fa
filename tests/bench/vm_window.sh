#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How long the volumes of a live pool stand still for a send, in ms, medians: 4 and 50
# volumes, and 4 with mounted file systems, written to meanwhile.  Beside them the
# time of `lvcreate -s` of as many volumes, all of the commands: these freeze the
# volumes one after another and never at one moment.  50 ms are wanted for 4
# volumes, 200 for 50; on an emulated processor (QEMU's TCG) there is no verdict.
# timeout: 900
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/../vm/live.bash"
. "$(dirname "$0")/report.sh"
needs dmsetup thinexport lvm mkfs.ext4
needs_target thin-pool

rounds=${TE_BENCH_ROUNDS:-9}

# result WHAT MS [WANTED]: a row of the table.
result() {
	if [ $# -lt 3 ]; then
		row "$1" "$2" '' -
	elif grep -q TCG /proc/cpuinfo; then
		row "$1, CPU emulated" "$2" "<= $3" -
	else
		ratio "$1" "$2" %.1f '<=' "$3"
	fi >>"$TE_TMP/results"
}

windows() { # windows ARGUMENT...: of a send of that
	local round
	for ((round = 0; round < rounds; round++)); do
		thinexport send --direct --force -o "$TE_TMP/stream" "$@" 2>"$TE_TMP/said" || return
		sed -n 's/.*stood still for \([0-9.]*\) ms.*/\1/p' "$TE_TMP/said"
	done
}

begin() { # begin NUMBER_OF_VOLUMES
	local id
	pool p "$(disk 32)" "$(disk 1024)"
	for ((id = 0; id < $1; id++)); do
		volume p $id 64 v$id
		fill /dev/mapper/v$id $id 0 256
	done
}

write_on() { # write_on FILE...: until there is $TE_TMP/stop
	local file
	rm -f "$TE_TMP/stop"
	while [ ! -e "$TE_TMP/stop" ]; do
		for file; do
			dd if=/dev/urandom of="$file" bs=64k count=1 seek=$((RANDOM % 900)) \
				conv=notrunc,fdatasync status=none
		done
	done &
	writer=$!
	later kill $writer
}
end_writing() {
	touch "$TE_TMP/stop"
	wait $writer
}

end() { # end NUMBER_OF_VOLUMES
	local id
	for ((id = 0; id < $1; id++)); do deactivate v$id; done
	deactivate p
}

four_volumes() {
	local writer
	begin 4
	write_on /dev/mapper/v0 /dev/mapper/v1 /dev/mapper/v2 /dev/mapper/v3
	windows p >"$TE_TMP/four"
	end_writing
	end 4
	result 'window, 4 volumes: ms' "$(median <"$TE_TMP/four")" 50
}

four_mounted_volumes() {
	local writer id files=()
	begin 4
	for id in 0 1 2 3; do
		mkfs.ext4 -qF /dev/mapper/v$id
		mkdir "$TE_TMP/$id"
		mount /dev/mapper/v$id "$TE_TMP/$id"
		later umount "$TE_TMP/$id"
		files+=("$TE_TMP/$id/file")
	done
	write_on "${files[@]}"
	windows p >"$TE_TMP/mounted"
	end_writing
	umount "$TE_TMP"/[0-3]
	end 4
	result 'window, 4 mounted volumes: ms' "$(median <"$TE_TMP/mounted")"
}

fifty_volumes() {
	local writer
	begin 50
	write_on /dev/mapper/v0 /dev/mapper/v49
	windows p >"$TE_TMP/fifty"
	end_writing
	end 50
	result 'window, 50 volumes: ms' "$(median <"$TE_TMP/fifty")" 200
}

# lvm_snapshots NUMBER ROUNDS: the whole of the commands, as only they tell; most of it is
# not standing still.
lvm_snapshots() {
	local device id round start writer
	device=$(disk 1024)
	vgcreate -qq te_bench "$device"
	later vgremove -qq -ff -y te_bench
	lvcreate -qq -y -Wn -L 512M -T te_bench/pool
	for ((id = 0; id < $1; id++)); do
		lvcreate -qq -y -Wn -V 64M -T te_bench/pool -n v$id
	done
	write_on /dev/te_bench/v0 /dev/te_bench/v$(($1 - 1))
	for ((round = 0; round < $2; round++)); do
		start=$(date +%s%N)
		for ((id = 0; id < $1; id++)); do lvcreate -qq -y -s -n s$id te_bench/v$id; done
		echo $((($(date +%s%N) - start) / 1000000))
		lvremove -qq -y -S 'lv_name=~^s[0-9]' te_bench >/dev/null
	done >"$TE_TMP/lvm"
	end_writing
	vgremove -qq -ff -y te_bench
	result "lvcreate -s of $1 volumes, in turn: ms" "$(median <"$TE_TMP/lvm")"
}

lvm_s_own_snapshots_of_four_volumes() { lvm_snapshots 4 3; }
lvm_s_own_snapshots_of_fifty_volumes() { lvm_snapshots 50 1; }

trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests four_volumes four_mounted_volumes fifty_volumes \
	lvm_s_own_snapshots_of_four_volumes lvm_s_own_snapshots_of_fifty_volumes
