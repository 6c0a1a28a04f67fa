# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the scripts on power cuts: disks whose every write and flush is recorded, in
# one order of time, and what is on them when the power fails at some moment of it.
# Comes after lib.sh.
#
#	record METADATA DATA	files, which become /dev/nbd0 and /dev/nbd1
#	...
#	end_record		they are disks no more
#	moments			prints the moments: just before each flush, and the end
#	power_cut MOMENT SEED METADATA DATA
#				what is on the disks then is written to these devices
#				(disk_replay.c tells of SEED)

needs disk_recorder disk_replay
modprobe -q -n nbd || skip_all "no module nbd"

record() { # record FILE...
	local file number=0 disks=()
	modprobe nbd nbds_max=$# max_part=0 || return
	for file; do
		cp "$file" "$TE_TMP/base$number" || return
		disks+=("/dev/nbd$number=$file")
		number=$((number + 1))
	done
	disk_recorder "$TE_TMP/record" "${disks[@]}" &
	te_recorder=$!
	later modprobe -r nbd
	later wait_for 20 fails kill -0 $te_recorder
	later kill $te_recorder
	while [ $number -gt 0 ]; do
		number=$((number - 1))
		wait_for 20 te_has_size /dev/nbd$number || return
	done
}
te_has_size() { [ "$(size_of "$1")" -gt 0 ]; }

end_record() {
	kill $te_recorder
	wait $te_recorder
	modprobe -r nbd
}

moments() { disk_replay flushes "$TE_TMP/record"; }

power_cut() { # power_cut MOMENT SEED DEVICE...
	local moment=$1 seed=$2 device number=0
	shift 2
	for device; do
		dd if="$TE_TMP/base$number" of="$device" bs=1M status=none || return
		number=$((number + 1))
	done
	disk_replay cut "$TE_TMP/record" "$moment" "$seed" "$@"
}
