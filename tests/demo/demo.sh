#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demonstration: a live pool, written to all the while, arrives on a RAID5.
# timeout: 600
#
# How it is judged, none of it by ourselves:
#
#   - The sender pins one moment of all volumes.  While its stream waits at its
#     first frame, the kernel is asked for a snapshot of each pin.  Nobody ever
#     writes those, so they are the frozen moment itself; each received volume
#     must equal its own (cmp, from end to end).
#   - That it is *one* moment: a writer stamps number after number into one
#     volume and then into another.  What arrived must be one number, or two
#     that follow each other.
#   - e2fsck of the received file systems; thin_check of the received metadata,
#     before the kernel has seen it and after it has used it.
#   - Sharing: thin_ls of the source's metadata, after all but the frozen moment
#     is deleted there, and thin_ls of the new pool's: the same for each volume.
#   - fio verifies all that it reads back from the live volumes, before, during
#     and after.
. "$(dirname "$0")/../vm/lib.sh"
needs dmsetup mdadm fio e2fsck thin_check thin_ls cmp paste jq thinexport pattern
needs_target thin-pool

#	id name		size (MiB)
volumes='0  files	32
	 1  database	24
	 2  mail	24
	 3  builds	32
	 4  unused	16
	 10 mail-1	24
	 11 mail-2	24
	 12 mail-3	24
	 13 files-old	32
	 14 of-a-lost	16
	 15 builds-trim	32
	 16 unused-snap	16'
frozen=1000			# the frozen moment of volume N has the id frozen + N

verdict=passed
started=$(date +%s%N)
tenths() { local t=$((($(date +%s%N) - ${1:-$started}) / 100000000)); echo "$((t / 10)).$((t % 10))"; }
step() { printf '[%5s s] %s\n' "$(tenths)" "$*"; }
bad() {
	printf '\n  WRONG: %s\n' "$*"
	verdict=failed
}
# Whatever the set-up cannot do is the end of it.
must() {
	"$@" >"$TE_TMP/said" 2>&1 && return
	echo "$*:"
	cat "$TE_TMP/said"
	echo "not ok 1 the demonstration could be set up"
	exit 1
}
each() { # each COMMAND...: with ID NAME MIB of every volume
	local id name mib
	while read -r id name mib; do "$@" "$id" "$name" "$mib"; done <<<"$volumes"
}
mib_of() { awk -v id="$1" '$1 == id { print $3 }' <<<"$volumes"; }
new_volume() { must volume source "$1" "$(mib_of "$1")" "$2"; }
new_snapshot() { # ID ORIGIN NAME
	must snapshot source "$1" "$2"
	must activate source "$1" "$(mib_of "$1")" "$3"
}

step "Making a thin pool with 5 volumes and 7 snapshots, ext4 and plain"
metadata=$(disk 8) && data=$(disk 320) || exit 1
must pool source "$metadata" "$data"
new_volume 0 files
must mkfs.ext4 -q -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 /dev/mapper/files
mkdir "$TE_TMP/files"
must mount /dev/mapper/files "$TE_TMP/files"
later umount "$TE_TMP/files"
mkdir "$TE_TMP/files/programs"
must cp /usr/sbin/{dmsetup,e2fsck,mke2fs,lvm} "$TE_TMP/files/programs/"
must sync -f "$TE_TMP/files"
must snapshot source 13 0
must activate source 13 32 files-old
new_volume 2 mail
must fill /dev/mapper/mail 2 0 8192
new_snapshot 10 2 mail-1
must fill /dev/mapper/mail-1 10 2048 1024
new_snapshot 11 10 mail-2
must fill /dev/mapper/mail-2 11 4096 1024
new_snapshot 12 11 mail-3
must fill /dev/mapper/mail-3 12 10240 1024
must volume source 5 16 lost
must fill /dev/mapper/lost 5 4096 4096
new_snapshot 14 5 of-a-lost
must deactivate lost
must message source delete 5
new_volume 3 builds
must fill /dev/mapper/builds 3 0 12288
must blkdiscard -o $((2 << 20)) -l $((8 << 20)) /dev/mapper/builds
new_snapshot 15 3 builds-trim
new_volume 4 unused
new_snapshot 16 4 unused-snap
new_volume 1 database
must fill /dev/mapper/database 1 0 6144

step "Starting the load: fio with verify on a volume and in a file, stamps across two"
fio --output="$TE_TMP/fio" --ioengine=libaio --direct=1 --bs=4k --iodepth=4 --rw=randwrite \
	--verify=crc32c --verify_backlog=32 --verify_fatal=1 --time_based --runtime=600 \
	--rate_iops=25 --group_reporting --allow_file_create=1 \
	--name=database --filename=/dev/mapper/database --size=6m \
	--name=file --filename="$TE_TMP/files/fio" --size=2m &
fio=$!
stamp_to() { dd of="/dev/mapper/$1" bs=4096 seek=6143 oflag=direct conv=notrunc status=none; }
(
	number=0
	while [ ! -e "$TE_TMP/stop" ]; do
		number=$((number + 1))
		printf '%-4096d' $number | stamp_to mail
		printf '%-4096d' $number | stamp_to builds
		sleep 0.1
	done
) &
stamps=$!
later kill $fio $stamps
sleep 3

reader='the module'
load_module 2>/dev/null || reader='the devices (the module is not there)'
step "Sending all of it to a file, read through $reader"
sent_at=$(date +%s%N)
mkfifo "$TE_TMP/stream"
freeze_reference() { # freeze_reference ID NAME MIB: a snapshot of that volume's pin
	local pin
	pin=$(awk -v n=$1 '$1 == n { print $2 }' "$TE_TMP/pins")
	message source create_snap $((frozen + $1)) "$pin"
}
thinexport send --codec zlib:1 source >"$TE_TMP/stream" 2>"$TE_TMP/send" &
sender=$!
exec 8<"$TE_TMP/stream"
head -c 144 <&8 >"$TE_TMP/pool.thin"
# The pins, in the order of the volumes' ids: their own ids fall.
dmsetup table | sed -n 's/^thinexport-.*-pin-.*: 0 [0-9]* thin [^ ]* \([0-9]*\).*/\1/p' | sort -nr >"$TE_TMP/pin-ids"
paste -d' ' <(awk '{ print $1 }' <<<"$volumes" | sort -n) "$TE_TMP/pin-ids" >"$TE_TMP/pins"
if [ "$(wc -l <"$TE_TMP/pin-ids")" -ne 12 ]; then
	cat "$TE_TMP/send"
	bad "there are $(wc -l <"$TE_TMP/pin-ids") pins, not 12"
else
	dmsetup suspend source
	each freeze_reference
	dmsetup resume source
fi
cat <&8 >>"$TE_TMP/pool.thin"
exec 8<&-
wait $sender || { bad "send failed"; sed 's/^/    /' "$TE_TMP/send"; }
send_seconds=$(tenths "$sent_at")
window=$(sed -n 's/.*stood still for \([0-9.]* ms\).*/\1/p' "$TE_TMP/send")

step "Checking the stream"
thinexport verify "$TE_TMP/pool.thin" >"$TE_TMP/said" 2>&1 || { bad "verify failed"; cat "$TE_TMP/said"; }

step "Making an md RAID5 of four disks, and receiving the pool onto it"
disks=$(for n in 1 2 3 4; do disk 128; done)
array=$(raid5 demo 64 $disks) || { bad "no RAID5"; exit 1; }
new_metadata=$(disk 8)
receive_at=$(date +%s%N)
thinexport receive -i "$TE_TMP/pool.thin" --metadata "$new_metadata" --data "$array" \
	>"$TE_TMP/said" 2>&1 || { bad "receive failed"; cat "$TE_TMP/said"; }
receive_seconds=$(tenths "$receive_at")
thin_check "$new_metadata" >"$TE_TMP/said" 2>&1 || { bad "thin_check"; cat "$TE_TMP/said"; }
thin_ls --no-headers -o DEV,MAPPED,EXCLUSIVE,SHARED "$new_metadata" >"$TE_TMP/after"

step "Ending the load; fio reads back what it wrote"
touch "$TE_TMP/stop"
kill -INT $fio
wait $fio $stamps
grep -q 'err= 0' "$TE_TMP/fio" && ! grep -qiE 'verify failed|bad header|err=[^ ]*[1-9]' "$TE_TMP/fio" ||
	{ bad "fio found an error"; tail -20 "$TE_TMP/fio"; }
fio_wrote=$(sed -n 's/.*WRITE:.*io=\([0-9.]*\)\([KMG]iB\).*/\1 \2/p' "$TE_TMP/fio")

step "Activating the new pool and comparing each volume with its frozen moment"
pool_open new "$new_metadata" "$array" || bad "the new pool does not activate"
declare -A same=()
compare() { # compare ID NAME MIB
	activate source $((frozen + $1)) "$3" "was-$2" --readonly || return
	activate new "$1" "$3" "is-$2" --readonly || return
	cmp "/dev/mapper/was-$2" "/dev/mapper/is-$2" && same[$1]=same
}
each compare 2>"$TE_TMP/said"
[ "${#same[@]}" -eq 12 ] || { bad "not all volumes are the same"; cat "$TE_TMP/said"; }
for name in files files-old; do
	# A file system that was snapshot by hand needs its journal first; one that
	# was frozen must be clean as it is.
	if [ $name = files-old ]; then
		deactivate is-files-old
		activate new 13 32 is-files-old
		e2fsck -fp /dev/mapper/is-files-old >"$TE_TMP/said" 2>&1
	fi
	e2fsck -fn /dev/mapper/is-$name >"$TE_TMP/said" 2>&1 || { bad "e2fsck of $name"; cat "$TE_TMP/said"; }
done
stamp() { dd if="/dev/mapper/is-$1" bs=4096 skip=6143 count=1 iflag=direct status=none | tr -d ' \0'; }
first=$(stamp mail) second=$(stamp builds)
[ -n "$second" ] && { [ "$first" = "$second" ] || [ "$first" = "$((second + 1))" ]; } ||
	bad "stamp $first and stamp $second are not of one moment"

step "Counting what is shared, in the frozen moment and in the new pool"
put_away() { deactivate "was-$2" "is-$2"; }
each put_away
umount "$TE_TMP/files"
forget() { deactivate "$2" && message source delete "$1"; }
each forget
must deactivate source new
thin_check "$new_metadata" >"$TE_TMP/said" 2>&1 || { bad "thin_check after use"; cat "$TE_TMP/said"; }
thin_check "$metadata" >"$TE_TMP/said" 2>&1 || { bad "thin_check of the source"; cat "$TE_TMP/said"; }
thin_ls --no-headers -o DEV,MAPPED,EXCLUSIVE,SHARED "$metadata" |
	awk -v frozen=$frozen '{ $1 -= frozen; print }' >"$TE_TMP/before"

#
# The table
#

echo
echo "  volume          size   provisioned   shared: before  after   content"
echo "  ------------------------------------------------------------------------"
row() {
	awk -v id="$1" -v name="$2" -v mib="$3" -v same="${same[$1]:-DIFFERENT}" '
		# thin_ls writes 12MiB or 64KiB or 0.
		function mibs(text) {
			if (text ~ /KiB/) return text / 1024
			if (text ~ /GiB/) return text * 1024
			if (text ~ /MiB/) return text + 0
			return text / 1048576
		}
		$1 != id { next }
		FNR == NR { mapped = $2; before = $4; exclusive = $3 }
		FNR != NR { after = $4; if (mapped != $2 || exclusive != $3) same = "SHARING LOST" }
		END {
			if (before != after) same = "SHARING LOST"
			printf "  %-12s %4d MiB %9.1f MiB %11.1f MiB %6.1f   %s\n", name, mib,
				mibs(mapped), mibs(before), mibs(after), same
		}' "$TE_TMP/before" "$TE_TMP/after"
}
each row | tee "$TE_TMP/table"
grep -qE 'DIFFERENT|LOST' "$TE_TMP/table" && bad "see the table"

provisioned=$(awk '{ sum += $4 } END { printf "%.0f", sum }' "$TE_TMP/table")
sent=$(stat -c %s "$TE_TMP/pool.thin")
thinexport info --json "$TE_TMP/pool.thin" >"$TE_TMP/info" 2>/dev/null
distinct=$(($(jq .provisioned_sectors "$TE_TMP/info") * 512))
echo "  ------------------------------------------------------------------------"
awk -v sum="$provisioned" -v distinct="${distinct:-0}" -v sent="$sent" -v window="$window" \
	-v send="$send_seconds" -v receive="$receive_seconds" -v fio="$fio_wrote" \
	-v stamps="$second" 'BEGIN {
	mib = 1048576
	printf "  provisioned     %7.1f MiB counted volume by volume\n", sum
	if (distinct)
		printf "                  %7.1f MiB of pool blocks, each sent once\n", distinct / mib
	printf "  sent            %7.1f MiB in %s s", sent / mib, send
	if (distinct)
		printf ", compressed to %.0f %%", 100 * sent / distinct
	printf "\n  received                   in %s s, onto RAID5\n", receive
	printf "  stood still     %s, all volumes together\n", window
	printf "  load            fio wrote %s and verified it; stamp %d in both volumes\n", fio, stamps
}'
echo
if [ $verdict = passed ]; then
	echo "  Every volume arrived as it was at one moment, and what was shared is shared."
	echo "ok 1 a live pool arrives on RAID5 as it was at one moment"
else
	echo "not ok 1 a live pool arrives on RAID5 as it was at one moment"
	exit 1
fi
