# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the scripts on trim: arrays whose members tell what they hold, a pool's metadata
# that is read slowly, the report.  Comes after lib.sh and passdown.bash.

# Members whose files tell what they hold: file_disks FIRST NUMBER MIB, into members.
file_disks() {
	local number file
	members=()
	for ((number = $1; number < $1 + $2; number++)); do
		file=$TE_TMP/member$number
		truncate -s "${3}M" "$file"
		members+=("$(losetup -f --show "$file")")
		later losetup -d "${members[-1]}"
	done
}
held() { stat -c %b "$TE_TMP"/member* | awk '{ sum += $1 } END { print sum * 512 }'; }	# bytes

# A RAID5 of four such disks, stripes of 192 KiB, and a passdown p on it: into md.
array() {
	file_disks 0 4 64
	md=$(safe_raid5 te 64 "${members[@]}")
	later mdadm --quiet --stop "$md"
	passdown p "$md" stripe 384 "$@"
}
end_array() {
	deactivate p
	echo check >"/sys/block/$(basename "$md")/md/sync_action"
	mdadm --wait "$md" || true
	[ "$(cat "/sys/block/$(basename "$md")/md/mismatch_cnt")" -eq 0 ]
	mdadm --quiet --stop "$md"
	losetup -d "${members[@]}"
	rm "$TE_TMP"/member*
}

report() { jq -e "$1" "$TE_TMP/report"; }

# Of metadata that is read MS late, so that the walk takes its time.
slow_reads() { # slow_reads MS
	dmsetup suspend --noflush slow
	dmsetup reload slow --table \
		"0 $(size_of /dev/mapper/slow) delay $metadata 0 $1 $metadata 0 0"
	dmsetup resume slow
}
slow_metadata() {
	metadata=$(disk 8)
	dmsetup create slow --table "0 $(size_of "$metadata") delay $metadata 0 0"
	later dmsetup remove --retry slow
}
