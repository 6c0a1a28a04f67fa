#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demonstration: four disks; a volume group's thin pool on a partition of the
# first one, its volumes mounted and written to, moves to a RAID5 of the others
# by one line, and is larger there.
# timeout: 600
#
# How it is judged, none of it by ourselves:
#
#   - The sender pins one moment of all volumes.  While the receiver is stopped, so
#     that nothing flows, the kernel is asked for a snapshot of each pin.  Nobody ever
#     writes those, so they are the frozen moment itself; each received volume
#     must equal its own (cmp, from end to end).
#   - That it is *one* moment: a writer stamps number after number into a file of
#     one volume and then of another.  What arrived must be one number, or two
#     that follow each other.
#   - Grown are pool, volumes, partitions and file systems (lvextend, sgdisk,
#     resize2fs); e2fsck says that they are whole, sha256sum that each file is the one
#     of the frozen moment.
#   - LVM's own list of names, ids, origins, tags and flags, before and after.
#   - Sharing: thin_ls of the source's metadata, after all but the frozen moment
#     is deleted there, and thin_ls of the new pool's: the same for each volume.
#     thin_check of the new pool, before it is used.
#   - fio verifies all that it reads back from the files it writes, before, during
#     and after.
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/../vm/lvm.bash"
needs dmsetup lvm mdadm fio e2fsck resize2fs sgdisk thin_check thin_ls cmp sha256sum paste \
	thinexport
needs_target thin-pool linear

#	id name		size, and what it grows to (MiB)
volumes='1 web		48	64
	 2 database	32	48
	 3 mail		32	48
	 4 web-before	48	48'
disks='web database mail'	# those that are mounted; the other is a snapshot
frozen=1000			# the frozen moment of volume N has the id frozen + N
tpool=vms-thinpool-tpool

started=$(date +%s%N)
tenths() { local t=$((($(date +%s%N) - ${1:-$started}) / 100000000)); echo "$((t / 10)).$((t % 10))"; }
step() { printf '[%5s s] %s\n' "$(tenths)" "$*"; }
bad() {
	printf '\n  WRONG: %s\n' "$*"
	touch "$TE_TMP/wrong"
}
# Whatever the set-up cannot do is the end of it.
must() {
	local said=$TE_TMP/said.$BASHPID
	"$@" >"$said" 2>&1 && return
	echo "$*:"
	cat "$said"
	echo "not ok 1 the demonstration could be set up"
	exit 1
}
# right SENTENCE COMMAND...: what a judge says
right() {
	local sentence=$1 said=$TE_TMP/said.$BASHPID
	shift
	"$@" >"$said" 2>&1 && return
	bad "$sentence"
	tail -20 "$said"
}
each() { # each COMMAND...: with ID NAME MIB GROWN of every volume
	local id name mib grown
	while read -r id name mib grown; do "$@" "$id" "$name" "$mib" "$grown"; done <<<"$volumes"
}
mib_of() { awk -v name="$1" '$2 == name { print $3 }' <<<"$volumes"; }

# partition_of DEVICE: its partition, as a machine that has it for a disk sees it
partition_of() {
	local loop
	loop=$(losetup -P -f --show --direct-io=on "$1") || return
	later losetup -d "$loop"
	echo "${loop}p1"
}
detach() { # detach PARTITION
	losetup -d "${1%p1}"
}

set_up() { # set_up NAME: as an installer leaves a disk
	must sgdisk -n 1:2048:0 -c 1:root "/dev/vms/$1"
	partition_of "/dev/vms/$1" >"$TE_TMP/$1.partition" || exit 1
	must mkfs.ext4 -q -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "$(cat "$TE_TMP/$1.partition")"
	mkdir "$TE_TMP/$1"
	must mount "$(cat "$TE_TMP/$1.partition")" "$TE_TMP/$1"
	later umount "$TE_TMP/$1"
	head -c 4096 /dev/zero >"$TE_TMP/$1/stamp"
}

step "Making volume group vms on a partition, and new on an md RAID5 of three more disks"
first=$(disk 200) || exit 1
must sgdisk -n 1:2048:0 -t 1:8e00 "$first"
partition=$(partition_of "$first") || exit 1
must group vms "$partition"
array=$(raid5 demo 64 "$(disk 128)" "$(disk 128)" "$(disk 128)") || { bad "no RAID5"; exit 1; }
must group new "$array"

step "Making a thin pool in vms, with 3 volumes and a snapshot"
must lvm_pool vms/thinpool 96 --addtag hypervisor
for name in $disks; do
	must lvm_volume vms/thinpool $name "$(mib_of $name)" --addtag "machine=$name"
done
for name in $disks; do
	set_up $name &
	set_ups+=" $!"
done
wait $set_ups
mkdir "$TE_TMP/web/programs" "$TE_TMP/mail/inbox"
must cp /usr/sbin/{dmsetup,e2fsck,mke2fs,lvm} "$TE_TMP/web/programs/"
head -c 6000000 /dev/urandom >"$TE_TMP/database/table"
for number in {1..300}; do printf '%5000d' "$number" >"$TE_TMP/mail/inbox/$number"; done
# As machines have it: their file systems are on partitions, which nobody freezes for them.
for name in $disks; do must sync -f "$TE_TMP/$name"; done
must lvm_snapshot vms/web web-before --addtag by-hand
must cp /usr/bin/{bash,awk} "$TE_TMP/web/programs/"
rm "$TE_TMP/web/programs/e2fsck"

known() { # known GROUP: what LVM knows of the pool and its volumes
	lvs --noheadings --separator '|' -S 'segtype=~^thin' -O thin_id -o \
		lv_name,thin_id,lv_permissions,lv_skip_activation,origin,lv_tags,chunk_size,lv_time "$1"
}
shown() { lvs --units m -O thin_id -o lv_name,lv_attr,lv_size,origin "$1" | sed 's/^  //; s/ *$//'; }
known vms >"$TE_TMP/known-before"
shown vms >"$TE_TMP/shown-before"

step "Starting the load: fio with verify in files of two volumes, stamps across two"
fio --output="$TE_TMP/fio" --ioengine=libaio --direct=1 --bs=4k --iodepth=4 --rw=randwrite \
	--verify=crc32c --verify_backlog=32 --verify_fatal=1 --time_based --runtime=600 \
	--rate_iops=10 --group_reporting --allow_file_create=1 --size=2m \
	--name=web --filename="$TE_TMP/web/fio" --name=database --filename="$TE_TMP/database/fio" &
fio=$!
stamp_to() { dd of="$TE_TMP/$1/stamp" bs=4096 oflag=direct conv=notrunc status=none; }
(
	number=0
	while [ ! -e "$TE_TMP/stop" ]; do
		number=$((number + 1))
		printf '%-4096d' $number | stamp_to mail
		printf '%-4096d' $number | stamp_to database
		sleep 0.2
	done
) &
stamps=$!
later kill $fio $stamps
must wait_for 30 grep -q '[0-9]' "$TE_TMP/database/stamp"

reader='the module'
load_module 2>/dev/null || reader='the devices (the module is not there)'
step "Moving it, read through $reader:"
echo "            thinexport send vms/thinpool | thinexport receive --size 160M new/thinpool"
moved_at=$(date +%s%N)
thinexport send vms/thinpool 2>"$TE_TMP/send" |
	thinexport receive --size 160M new/thinpool 2>"$TE_TMP/receive" &
receiver=$!

# The pins, in the order of the volumes' ids: their own ids fall.
pins() { dmsetup table | sed -n 's/^thinexport-.*-pin-.*: 0 [0-9]* thin [^ ]* \([0-9]*\).*/\1/p' | sort -nr; }
pins_are_there() { [ "$(pins | wc -l)" -eq 4 ]; }
freeze_reference() { # freeze_reference ID: a snapshot of that volume's pin
	message $tpool create_snap $((frozen + $1)) "$(awk -v n="$1" '$1 == n { print $2 }' "$TE_TMP/pins")"
}
kill -STOP $receiver
if wait_for 30 pins_are_there >"$TE_TMP/said"; then
	paste -d' ' <(awk '{ print $1 }' <<<"$volumes") <(pins) >"$TE_TMP/pins"
	dmsetup suspend $tpool
	each freeze_reference
	dmsetup resume $tpool
else
	bad "there are $(pins | wc -l) pins, not 4"
fi
kill -CONT $receiver
wait $receiver || bad "the line failed"
grep 'error' "$TE_TMP/send" "$TE_TMP/receive" && bad "send or receive said so"
moved_seconds=$(tenths "$moved_at")
window=$(sed -n 's/.*stood still for \([0-9.]* ms\).*/\1/p' "$TE_TMP/send")
[ -n "$window" ] || { bad "send did not end well"; cat "$TE_TMP/send"; }

step "Ending the load; fio reads back what it wrote"
touch "$TE_TMP/stop"
kill -INT $fio
wait $fio $stamps
grep -q 'err= 0' "$TE_TMP/fio" && ! grep -qiE 'verify failed|bad header|err=[^ ]*[1-9]' "$TE_TMP/fio" ||
	{ bad "fio found an error"; tail -20 "$TE_TMP/fio"; }
fio_wrote=$(sed -n 's/.*WRITE:.*io=\([0-9.]*\)\([KMG]iB\).*/\1 \2/p' "$TE_TMP/fio")
for name in $disks; do
	umount "$TE_TMP/$name"
	detach "$(cat "$TE_TMP/$name.partition")"
done

step "Comparing each volume of the new pool with its frozen moment"
known new >"$TE_TMP/known-after"
right "LVM does not know it as before" diff "$TE_TMP/known-before" "$TE_TMP/known-after"
must vgchange -q -an new
must lvchange -q -ay -y new/thinpool_tmeta
right "thin_check of the new pool" thin_check /dev/new/thinpool_tmeta
thin_ls --no-headers -o DEV,MAPPED,EXCLUSIVE,SHARED /dev/new/thinpool_tmeta >"$TE_TMP/new"
must lvchange -q -an new/thinpool_tmeta
must vgchange -q -ay -K new
must lvchange -q -an vms/web vms/database vms/mail
forget() { must message $tpool delete "$1"; }
each forget
must message $tpool reserve_metadata_snap
thin_ls -m --no-headers -o DEV,MAPPED,EXCLUSIVE,SHARED /dev/mapper/vms-thinpool_tmeta >"$TE_TMP/vms"
must message $tpool release_metadata_snap
declare -A same=()
compare() { # compare ID NAME MIB
	activate $tpool $((frozen + $1)) "$3" "was-$2" || return
	cmp "/dev/mapper/was-$2" "/dev/new/$2" && same[$1]=same
}
each compare 2>"$TE_TMP/said"
[ "${#same[@]}" -eq 4 ] || { bad "not all volumes are the same"; cat "$TE_TMP/said"; }

step "Growing volumes, partitions and file systems; comparing each file"
grow() { # grow ID NAME MIB GROWN
	[ "$4" -gt "$3" ] || return 0
	must lvextend -q -L "$4M" "new/$2"
}
each grow
guid_of() { sgdisk -i 1 "$1" | sed -n 's/^Partition unique GUID: //p'; }
for name in $disks; do
	# Its end is elsewhere now, and that is where the table's copy belongs.
	sgdisk -e -d 1 -n 1:2048:0 -c 1:root -u "1:$(guid_of "/dev/new/$name")" "/dev/new/$name" \
		>"$TE_TMP/$name.sgdisk" 2>&1 &
	tables+=" $!"
done
wait $tables || { bad "sgdisk"; cat "$TE_TMP"/*.sgdisk; }
checked() { # checked PARTITION: what stood in the journal is brought in
	e2fsck -fp "$1" || [ $? -eq 1 ]
}
files_of() { # files_of PARTITION FOLDER: their sums
	mkdir "$TE_TMP/$2"
	must mount "$1" "$TE_TMP/$2"
	later umount "$TE_TMP/$2"
	(cd "$TE_TMP/$2" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$TE_TMP/$2.sums"
}
files_grow() { # files_grow ID NAME MIB GROWN
	local was is mib
	was=$(partition_of "/dev/mapper/was-$2") && is=$(partition_of "/dev/new/$2") || return
	must checked "$was"
	right "e2fsck of $2" checked "$is"
	right "resize2fs of $2" resize2fs "$is"
	right "e2fsck of $2 once it has grown" e2fsck -fn "$is"
	files_of "$was" "was-$2"
	files_of "$is" "is-$2"
	right "the files of $2 are not those of the frozen moment" cmp "$TE_TMP/was-$2.sums" "$TE_TMP/is-$2.sums"
	[ -s "$TE_TMP/is-$2.sums" ] || bad "$2 has no files"
	mib=$(($(stat -f -c '%b * %S' "$TE_TMP/is-$2") >> 20))
	[ $mib -gt $(($4 * 3 / 4)) ] || bad "the file system of $2 has $mib MiB"
}
grown=
files_grow_beside() {
	files_grow "$@" &
	grown+=" $!"
}
each files_grow_beside
wait $grown
stamp() { tr -d ' \0' <"$TE_TMP/is-$1/stamp"; }
first=$(stamp mail) second=$(stamp database)
[ -n "$second" ] && { [ "$first" = "$second" ] || [ "$first" = "$((second + 1))" ]; } ||
	bad "stamp $first and stamp $second are not of one moment"
shown new >"$TE_TMP/shown-after"
put_away() { # put_away ID NAME
	umount "$TE_TMP/was-$2" "$TE_TMP/is-$2"
}
each put_away

#
# The tables
#

echo
paste -d'|' "$TE_TMP/shown-before" "$TE_TMP/shown-after" | awk -F'|' '
	BEGIN { printf "  %-38s %s\n\n", "lvs vms, before", "lvs new, after" }
	{ printf "  %-38s %s\n", $1, $2 }'
echo
echo "  volume        provisioned   shared: before     after   files   content"
echo "  ------------------------------------------------------------------------"
row() {
	awk -v id="$1" -v name="$2" -v files="$(wc -l <"$TE_TMP/is-$2.sums")" -v same="${same[$1]:-DIFFERENT}" -v frozen=$frozen '
		# thin_ls writes 12MiB or 64KiB or 0.
		function mibs(text) {
			if (text ~ /KiB/) return text / 1024
			if (text ~ /GiB/) return text * 1024
			if (text ~ /MiB/) return text + 0
			return text / 1048576
		}
		FNR == NR && $1 == id + frozen { mapped = $2; exclusive = $3; before = $4 }
		FNR != NR && $1 == id && (mapped != $2 || exclusive != $3) { same = "SHARING LOST" }
		FNR != NR && $1 == id { after = $4 }
		END {
			if (before != after) same = "SHARING LOST"
			printf "  %-12s %8.1f MiB %14.1f MiB %5.1f MiB %7d   %s\n", name, mibs(mapped),
				mibs(before), mibs(after), files, same
		}' "$TE_TMP/vms" "$TE_TMP/new"
}
each row | tee "$TE_TMP/table"
grep -qE 'DIFFERENT|LOST' "$TE_TMP/table" && bad "see the table"

provisioned=$(awk '{ sum += $2 } END { printf "%.0f", sum }' "$TE_TMP/table")
echo "  ------------------------------------------------------------------------"
echo "  moved           in $moved_seconds s, ${provisioned} MiB counted volume by volume, each shared block once"
echo "  stood still     $window, all volumes together"
echo "  load            fio wrote $fio_wrote and verified it; stamp $second in both volumes"
echo
if [ ! -e "$TE_TMP/wrong" ]; then
	echo "  Every file arrived as it was at one moment, and what was shared is shared."
	echo "ok 1 a volume group's live pool moves to RAID5 by one line, and grows"
else
	echo "not ok 1 a volume group's live pool moves to RAID5 by one line, and grows"
	exit 1
fi
