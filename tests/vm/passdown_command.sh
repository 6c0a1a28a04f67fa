#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `thinexport passdown`: the stripe is md's, whatever the queue says; what is in use
# is refused; it comes up again after the array did; what is due goes down.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/passdown.bash"
. "$(dirname "$0")/lvm.bash"
needs dmsetup mdadm blkdiscard jq lvm mke2fs thinexport
needs_target thin-pool linear
needs_module

folder=/etc/thinexport/passdown
[ ! -e $folder ] || skip_all "$folder is there: this machine is in use"
later rm -rf /etc/thinexport

# Four disks, a RAID5 in stripes of 192 KiB; what a test makes on it is called p.
array() {
	local members
	mapfile -t members < <(scsi_disks 4 32)
	safe_raid5 te 64 "${members[@]}"
	later rm -rf $folder
	later dmsetup remove --retry p
}
members() { mapfile -t members < <(te_scsi_disks); }
end_array() {
	mdadm --quiet --stop /dev/md/te
	modprobe -r scsi_debug
}

field() { # field NAME MEMBER: of its status as JSON
	thinexport passdown status --json "$1" | jq -r ".passdowns[0].$2"
}

no_trace_of() { # no_trace_of NAME
	fails dmsetup info "$1" 2>/dev/null
	[ ! -e "$folder/$1.conf" ]
}

the_stripe_is_mds_and_what_is_due_goes_down() {
	local md
	md=$(array)
	thinexport passdown create "$md" p
	[ "$(field p stripe_bytes)" -eq $((192 * 1024)) ]
	[ "$(field p array.level)" = raid5 ]
	[ "$(field p array.data_disks)" -eq 3 ]
	[ "$(field p kept)" = true ]
	[ "$(field p mode)" = held ]
	fill /dev/mapper/p 1 0 16384
	discard /dev/mapper/p 4 $((4 * 192 + 100))
	[ "$(field p free_bytes)" -eq $((12 * 64 * 1024)) ]
	[ "$(field p due_bytes)" -eq $((3 * 192 * 1024)) ]
	thinexport passdown status | tee "$TE_TMP/shown"
	grep -q "p on $(basename "$md") (raid5 of 4 disks)" "$TE_TMP/shown"
	grep -q 'due .*576 KiB' "$TE_TMP/shown"
	fails awk 'length > 80 { found = 1; print } END { exit !found }' "$TE_TMP/shown"
	thinexport passdown flush p 2>&1 | grep 'p: 576 KiB passed down, 0 B still due'
	is_zero "$md" 192 576
	holds /dev/mapper/p 1 0 192
	holds /dev/mapper/p 1 768 8192
	thinexport passdown remove p
	no_trace_of p
	end_array
}

what_is_in_use_is_refused_and_left_as_it_was() {
	local md disk
	md=$(array)
	members
	refuse() { # in one sentence
		fails_with "$1" thinexport passdown create "${@:2}"
		[ "$(wc -l <"$TE_TMP/said")" -eq 1 ]
		no_trace_of te-passdown
	}
	refuse 'is no block device' /etc/passwd
	refuse 'No such file' /dev/nowhere
	refuse 'is part of md[0-9]+, which is running' "${members[0]}" te-passdown
	mke2fs -q "$md"
	mount "$md" /mnt
	refuse 'is mounted on /mnt' "$md" te-passdown
	umount /mnt
	wipefs -qa "$md"
	vgcreate -q --dataalignment 64k vg "$md"
	later te_drop_group vg
	lvcreate -q -y -Wn -l 4 -n lv vg
	refuse 'is a physical volume in use: vg-lv lies on it' "$md" te-passdown
	# A linear volume that begins inside a stripe; below, one that does not.
	refuse 'begins inside a stripe' /dev/vg/lv te-passdown
	vgchange -q -an vg
	vgremove -q -ff -y vg
	dmsetup create other --table "0 $(size_of "$md") linear $md 0"
	refuse 'the device other lies on it' "$md" te-passdown
	thinexport passdown create --once /dev/mapper/other over
	[ "$(field over stripe_bytes)" -eq $((192 * 1024)) ]
	thinexport passdown remove over
	deactivate other
	disk=$(disk 8)
	fails_with 'at the next boot' thinexport passdown create "$disk" q
	thinexport passdown create "$md" p
	refuse 'has a passdown already: /dev/mapper/p' "$md" te-passdown
	refuse 'is a passdown itself' /dev/mapper/p te-passdown
	fails_with 'there is a device /dev/mapper/p already' thinexport passdown create "$md" p
	fails_with 'there is no such device' thinexport passdown status nothing
	mke2fs -q /dev/mapper/p
	mount /dev/mapper/p /mnt
	fails_with 'is in use' thinexport passdown remove p
	umount /mnt
	# As udev does with what was closed.
	sleep 0.5 </dev/mapper/p &
	thinexport passdown remove /dev/mapper/p
	no_trace_of p
	fails_with 'multiple of 4096' thinexport passdown create --stripe 5000 "$md"
	fails thinexport passdown create
	end_array
}

# Stripes of both levels, or no name that lasts: md without a superblock has no uuid.
arrays_that_tell_no_stripe_or_name_are_refused() {
	local md
	md=$(array)
	mdadm --quiet --create /dev/md78 --run --force --level=0 --raid-devices=1 "$md"
	later mdadm --quiet --stop /dev/md78
	fails_with "a member of md78 .raid0. lies on $(basename "$md") .raid5." \
		thinexport passdown create /dev/md78 p
	thinexport passdown create --stripe 192K --once /dev/md78 p
	thinexport passdown remove p
	mdadm --quiet --stop /dev/md78
	wipefs -qa "$md"
	end_array
	mapfile -t members < <(scsi_disks 2 16)
	mdadm --quiet --build /dev/md79 --level=0 --chunk=64 --raid-devices=2 "${members[@]}"
	later mdadm --quiet --stop /dev/md79
	fails_with 'at the next boot' thinexport passdown create /dev/md79 p
	no_trace_of p
	thinexport passdown create --once /dev/md79 p
	[ "$(field p stripe_bytes)" -eq $((64 * 1024)) ]
	fill /dev/mapper/p 1 0 4096
	discard /dev/mapper/p 0 1024
	thinexport passdown flush p
	is_zero /dev/mapper/p 0 1024
	holds /dev/mapper/p 1 1024 3072
	thinexport passdown remove p
	mdadm --quiet --stop /dev/md79
	modprobe -r scsi_debug
}

of_two_at_once_one_comes_about() {
	local md made=0 process
	md=$(array)
	for name in a b c d; do
		thinexport passdown create "$md" $name 2>"$TE_TMP/$name" &
	done
	for process in $(jobs -p); do
		wait "$process" && made=$((made + 1))
	done
	cat "$TE_TMP"/[abcd]
	[ $made -eq 1 ]
	[ "$(ls $folder | wc -l)" -eq 1 ]
	[ "$(dmsetup ls --target thin-passdown | wc -l)" -eq 1 ]
	thinexport passdown remove "$(dmsetup ls --target thin-passdown | cut -f1)"
	end_array
}

# What a boot does, by hand: array, passdown, group, pool.
after_the_array_all_above_comes_up_by_itself() {
	local md config='devices { filter=["a|/dev/mapper/p$|","r|.*|"] }'
	md=$(array)
	members
	thinexport passdown create --auto "$md" p
	vgcreate -q --config "$config" vg /dev/mapper/p
	lvcreate -q -y --config "$config" --type thin-pool -L 48M --poolmetadatasize 4M -c 64k -n pool vg
	lvcreate -q -y -Wn --config "$config" --type thin -V 24M --thinpool pool -n v vg
	fill /dev/vg/v 7
	vgchange -q -an --config "$config" vg
	dmsetup remove --retry p
	mdadm --quiet --stop "$md"
	fails_with 'its device, md-uuid-.* is not there' thinexport passdown start
	fails dmsetup info p

	# Its number is another now.
	mdadm --quiet --assemble --run /dev/md77 "${members[@]}"
	later mdadm --quiet --stop /dev/md77
	thinexport passdown start 2>&1 | grep '1 passdown device made'
	thinexport passdown start 2>&1 | grep '0 passdown devices made'
	[ "$(field p mode)" = auto ]
	[ "$(field p stripe_bytes)" -eq $((192 * 1024)) ]
	vgchange -q -ay --config "$config" vg
	holds /dev/vg/v 7
	blkdiscard /dev/vg/v
	passed_some() { [ "$(field p passed_bytes)" -gt 0 ]; }
	wait_for 10 passed_some
	fails_with 'is in use' thinexport passdown remove p
	vgremove -q -ff -y --config "$config" vg
	thinexport passdown remove p
	no_trace_of p
	mdadm --quiet --stop /dev/md77
	modprobe -r scsi_debug
}

# A file that says nothing, a name that is taken; and an array that comes later, disk by
# disk, as udev brings it.
one_that_fails_does_not_keep_the_others_waiting() {
	local md disk assembler
	on_one_kernel
	md=$(array)
	members
	thinexport passdown create "$md" p
	dmsetup remove --retry p
	mdadm --quiet --stop "$md"
	cp $folder/p.conf $folder/taken.conf
	echo nonsense >$folder/a.conf
	dmsetup create taken --table '0 8 error'
	later dmsetup remove --retry taken
	for disk in "${members[@]}"; do
		sleep 0.7
		mdadm --quiet --incremental "$disk"
	done &
	assembler=$!
	fails_with 'taken is there, and is no passdown' thinexport passdown start --wait 20
	wait $assembler
	[ "$(grep -c 'no passdown:' "$TE_TMP/said")" -eq 1 ]
	[ "$(grep -c 'a.conf cannot be understood' "$TE_TMP/said")" -eq 1 ]
	[ "$(field p kept)" = true ]
	deactivate taken
	rm $folder/a.conf $folder/taken.conf
	md=/dev/$(field p device)
	# Nor is it refused what somebody has open for a moment yet.
	dmsetup remove --retry p
	mke2fs -q "$md"
	mount "$md" /mnt
	{ sleep 2; umount /mnt; } &
	thinexport passdown start --wait 20 p
	wait $!
	[ "$(field p kept)" = true ]
	thinexport passdown remove p
	mdadm --quiet --stop "$md"
	modprobe -r scsi_debug
}

an_array_that_takes_no_discard_is_explained() {
	local md
	modprobe -q raid456 || true
	md=$(array)
	members
	mdadm --quiet --stop "$md"
	echo N >/sys/module/raid456/parameters/devices_handle_discard_safely
	mdadm --quiet --assemble --run "$md" "${members[@]}"
	thinexport passdown create "$md" p
	fill /dev/mapper/p 1 0 16384
	discard /dev/mapper/p 0 960
	[ "$(field p way)" = none ]
	thinexport passdown status p | tee "$TE_TMP/shown"
	grep -q 'Nothing goes down: md[0-9]* takes no discard' "$TE_TMP/shown"
	grep -q devices_handle_discard_safely=Y "$TE_TMP/shown"
	grep -q -e --zero-fill "$TE_TMP/shown"
	fails awk 'length > 80 { found = 1; print } END { exit !found }' "$TE_TMP/shown"
	fails_with 'takes no discard' thinexport passdown flush p
	holds /dev/mapper/p 1 0 16384
	pool t "$(disk 8)" /dev/mapper/p
	fails thinexport trim --json t >"$TE_TMP/report" 2>"$TE_TMP/said"
	cat "$TE_TMP/said"
	[ "$(wc -l <"$TE_TMP/said")" -eq 1 ]
	grep -q 'takes no discard, .* only remembered: .*passdown status p' "$TE_TMP/said"
	jq -e '.done == false and .passed_bytes == 0 and .due_bytes > 0
		and .due_why == "no discard"' "$TE_TMP/report"
	fails thinexport trim t >"$TE_TMP/shown"
	grep 'due .*what is below takes no discard' "$TE_TMP/shown"
	fails grep 'Ended early' "$TE_TMP/shown"
	deactivate t
	thinexport passdown remove p
	thinexport passdown create --zero-fill "$md" p
	fill /dev/mapper/p 1 0 16384
	discard /dev/mapper/p 0 960
	thinexport passdown flush p
	is_zero "$md" 0 960
	thinexport passdown remove p
	end_array
}

# The disk comes by itself: a reshape that is held where it is.
while_the_array_is_reshaped_nothing_goes_down() {
	local md sync
	on_one_kernel
	mapfile -t members < <(scsi_disks 4 32)
	md=$(safe_raid5 te 64 "${members[@]:0:3}")
	later rm -rf $folder
	later dmsetup remove --retry p
	sync=/sys/block/$(basename "$md")/md
	thinexport passdown create "$md" p
	fill /dev/mapper/p 1 0 16384
	discard /dev/mapper/p 0 1280
	[ "$(field p stripe_bytes)" -eq $((128 * 1024)) ]
	echo 100 >"$sync/sync_speed_max"
	echo 50 >"$sync/sync_speed_min"
	mdadm --quiet --add "$md" "${members[3]}"
	mdadm --quiet --grow "$md" --raid-devices=4 --backup-file="$TE_TMP/backup"
	wait_for 10 grep -q reshape "$sync/sync_action"
	fails_with 'is being reshaped' thinexport passdown flush p
	[ "$(field p reshaping)" = true ]
	[ "$(field p passed_bytes)" -eq 0 ]
	thinexport passdown status p | grep 'is being reshaped: nothing goes down'
	echo 1000000 >"$sync/sync_speed_max"
	echo 1000000 >"$sync/sync_speed_min"
	wait_for 60 grep -q idle "$sync/sync_action"
	holds /dev/mapper/p 1 1280 8192

	# The stripes are others now: md takes nothing of one of the old ones, and says that it has.
	[ "$(field p array_stripe_bytes)" -eq $((192 * 1024)) ]
	thinexport passdown status p | tee "$TE_TMP/shown"
	grep -q 'Not all that goes down is taken' "$TE_TMP/shown"
	fails awk 'length > 80 { found = 1; print } END { exit !found }' "$TE_TMP/shown"
	fill /dev/mapper/p 2 0 640
	discard /dev/mapper/p 128 128
	thinexport passdown flush p 2>&1 | tee "$TE_TMP/said"
	grep -q 'its stripes are 128 KiB and those of the array below 192 KiB' "$TE_TMP/said"
	[ "$(field p due_bytes)" -eq 0 ]
	holds "$md" 2 0 640
	pool t "$(disk 8)" /dev/mapper/p
	thinexport trim t 2>&1 | grep 'so not all that goes down is taken'
	# By hand, as the target's page has it, and by the command, which keeps it; all in use.
	dmsetup reload p --table "$(dmsetup table p | sed 's/ stripe [0-9]*/ stripe 384/')"
	dmsetup suspend p && dmsetup resume p
	[ "$(dmsetup table p | cut -d' ' -f6-)" = '4 stripe 384 unit 128' ]
	thinexport passdown restripe --stripe 384K p
	grep -qx 'stripe 768' $folder/p.conf
	thinexport passdown restripe p 2>&1 | grep 'p: stripes of 192 KiB (md.*on 3 data disks)'
	grep -qx 'stripe auto' $folder/p.conf
	[ "$(dmsetup table p | cut -d' ' -f6-)" = '4 stripe 384 unit 128' ]
	thinexport passdown status p | fails grep 'Not all'
	deactivate t
	fill /dev/mapper/p 1 0 16384
	discard /dev/mapper/p 192 192
	thinexport passdown flush p 2>&1 | tee "$TE_TMP/said"
	fails grep 'not all' "$TE_TMP/said"
	is_zero "$md" 192 192
	holds /dev/mapper/p 1 0 192
	holds /dev/mapper/p 1 384 8192
	thinexport passdown remove p
	end_array
}

# device-mapper's own RAID5 tells neither in sysfs.
an_array_of_lvm_tells_its_stripe_and_that_it_is_reshaped() {
	on_one_kernel
	has_target raid || skip "no device-mapper target raid"
	echo N >/sys/module/dm_raid/parameters/devices_handle_discard_safely
	mapfile -t members < <(scsi_disks 4 32)
	vgcreate -q -s 1M vg "${members[@]}"
	later te_drop_group vg
	lvcreate -q -y -Wn --type raid5 --stripes 2 --stripesize 64k -L 24M -n lv vg
	wait_for 60 lv_is idle
	later rm -rf $folder
	later dmsetup remove --retry p
	thinexport passdown create /dev/vg/lv p
	thinexport passdown status p | grep 'echo Y >/sys/module/dm_raid/'
	thinexport passdown remove p
	echo Y >/sys/module/dm_raid/parameters/devices_handle_discard_safely
	lvchange -q -an vg/lv
	lvchange -q -ay vg/lv
	thinexport passdown create /dev/vg/lv p
	[ "$(field p array.name)" = vg-lv ]
	[ "$(field p array.level)" = raid5_ls ]
	[ "$(field p stripe_bytes)" -eq $((128 * 1024)) ]
	fill /dev/mapper/p 1 0 16384
	discard /dev/mapper/p 0 640
	thinexport passdown flush p 2>&1 | grep 'p: 640 KiB passed down, 0 B still due'
	is_zero /dev/vg/lv 0 640
	discard /dev/mapper/p 640 640
	lvchange -q -y --minrecoveryrate 50 --maxrecoveryrate 100 vg/lv
	lvconvert -q -y --stripes 3 vg/lv
	lv_is reshape
	[ "$(field p reshaping)" = true ]
	fails_with 'vg-lv is being reshaped' timeout 20 thinexport passdown flush p
	[ "$(field p passed_bytes)" -eq $((640 * 1024)) ]
	lvchange -q -y --minrecoveryrate 100000 --maxrecoveryrate 1000000 vg/lv
	wait_for 60 lv_is idle
	holds /dev/mapper/p 1 1280 8192
	thinexport passdown status p | grep 'stripes are 192 KiB now'
	thinexport passdown restripe p
	discard /dev/mapper/p 576 384
	thinexport passdown flush p 2>&1 | grep 'p: 384 KiB passed down'
	is_zero /dev/vg/lv 576 384
	holds /dev/mapper/p 1 1280 8192
	thinexport passdown remove p
	vgremove -q -ff -y vg
	modprobe -r scsi_debug
}
lv_is() { dmsetup status vg-lv | grep -q " $1 "; }

run_tests \
	the_stripe_is_mds_and_what_is_due_goes_down \
	what_is_in_use_is_refused_and_left_as_it_was \
	arrays_that_tell_no_stripe_or_name_are_refused \
	of_two_at_once_one_comes_about \
	after_the_array_all_above_comes_up_by_itself \
	one_that_fails_does_not_keep_the_others_waiting \
	an_array_that_takes_no_discard_is_explained \
	while_the_array_is_reshaped_nothing_goes_down \
	an_array_of_lvm_tells_its_stripe_and_that_it_is_reshaped
