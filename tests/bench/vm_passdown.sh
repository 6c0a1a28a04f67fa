#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# thin-passdown: what it costs a write, against the array without it; how soon a file
# system is trimmed; what part of the whole stripes that were freed reaches the disks,
# and beside it what the kernel alone gives back ("stock"); its memory.  In one boot, in
# turns, of each the median.  The disks that a time is measured on are slow
# (tests/qemu/run), as the processor is: see vm_send.sh.
# timeout: 1500
. "$(dirname "$0")/../vm/lib.sh"
. "$(dirname "$0")/../vm/passdown.bash"
. "$(dirname "$0")/report.sh"
needs dmsetup mdadm blkdiscard fio fstrim jq thin_dump mkfs.ext4
needs_target thin-pool zero
needs_module

result() { # result WHAT VALUE FORMAT RELATION WANTED: a row, and whether it is reached
	ratio "$@" >"$TE_TMP/row"
	cat "$TE_TMP/row"
	cat "$TE_TMP/row" >>"$TE_TMP/results"
	grep -q ' yes$' "$TE_TMP/row"
}
tell() { # tell WHAT VALUE: a row without a verdict
	row "$1" "$(printf %.3f "$2")" '' - | tee -a "$TE_TMP/results"
}

#
# What a write costs.
#

# race ROUNDS OPTION...: on the array $md and on p, by many short turns, so that both meet
# the machine in every mood; prints p's part of the array's writes a second.
race() {
	local rounds=$1 round jobs=()
	local below=(--name=below --filename="$md" --stonewall)
	local here=(--name=here --filename=/dev/mapper/p --stonewall)
	shift
	for ((round = 0; round < rounds; round++)); do
		if [ $((round % 2)) -eq 0 ]; then
			jobs+=("${below[@]}" "${here[@]}")
		else
			jobs+=("${here[@]}" "${below[@]}")
		fi
	done
	fio --direct=1 --ioengine=libaio --thread --time_based --output-format=json \
		"$@" "${jobs[@]}" >"$TE_TMP/race"
	jq -r '.jobs[] | "\(.jobname) \(.write.iops)"' "$TE_TMP/race" >"$TE_TMP/turns"
	cat "$TE_TMP/turns" >&2
	divide "$(turns here)" "$(turns below)"
}

turns() { # turns WHERE: their median, in writes a second
	awk -v where="$1" '$1 == where { print $2 }' "$TE_TMP/turns" | median
}

random=(--rw=randwrite --bs=4k --iodepth=8)
sequential=(--rw=write --bs=1M --iodepth=2)

writes_are_as_fast_as_on_the_array() {
	local md ratio status=0
	md=$(raid5 te 64 $members)
	passdown p "$md"
	ratio=$(race 20 --runtime=1s "${random[@]}")
	result 'passdown: 4 KiB random writes, of the array' "$ratio" %.3f '>=' 0.97 || status=1
	ratio=$(race 20 --runtime=2s "${sequential[@]}")
	result 'passdown: 1 MiB sequential writes, of it' "$ratio" %.3f '>=' 0.97 || status=1
	deactivate p
	stop_array
	return $status
}

# Where the disks are memory and take no time, all is the processor's, which is emulated.
what_a_write_costs_the_processor() {
	local md ratio
	md=$(raid5 te 64 $(ram_disks 4 64))
	passdown p "$md"
	ratio=$(race 50 --runtime=300ms "${random[@]}")
	tell '     4 KiB random, disks of memory' "$ratio"
	ratio=$(race 150 --runtime=300ms "${sequential[@]}")
	tell '     1 MiB sequential, disks of memory' "$ratio"
	deactivate p
	stop_array
	modprobe -r brd
}

#
# What comes back.
#

# trim_time DEVICE: of fstrim after a file of 10,000 blocks has gone, in a pool on it.  Of
# each block 4 KiB were written, which is enough to have it.
trim_time() {
	local used
	pool t "$(disk 32)" "$1" 128 skip_block_zeroing
	volume t 0 700 v
	mkfs.ext4 -q -E nodiscard /dev/mapper/v
	mount /dev/mapper/v /mnt
	later umount /mnt
	fallocate -l 625M /mnt/file
	fio --name=w --filename=/mnt/file --rw=write:60k --bs=4k --io_size=40000k --direct=1 \
		--ioengine=libaio --iodepth=8 >"$TE_TMP/fio"
	sync
	used=$(dmsetup status v | cut -d' ' -f4)
	rm /mnt/file
	sync
	ms fstrim /mnt
	echo $((used - $(dmsetup status v | cut -d' ' -f4))) >"$TE_TMP/freed"
	umount /mnt
	deactivate v t
}

# But for some at the ends of the file's extents.
freed_blocks() {
	echo "$(cat "$TE_TMP/freed") sectors freed"
	[ "$(cat "$TE_TMP/freed")" -ge $((9900 * 128)) ]
}

a_file_system_is_trimmed_at_once() {
	local md round
	md=$(md_array 5 512 $members)
	for round in 1 2 3; do
		trim_time "$md" >>"$TE_TMP/stock"
		freed_blocks
		passdown p "$md" stripe 3072
		trim_time /dev/mapper/p >>"$TE_TMP/here"
		freed_blocks
		is p mode held
		[ "$(status p free)" -ge 9900 ]
		deactivate p
	done
	stop_array
	echo "of 10 us: stock $(xargs <"$TE_TMP/stock"), here $(xargs <"$TE_TMP/here")"
	result 'passdown: fstrim of 10,000 blocks, times faster' \
		"$(divide "$(median "$TE_TMP/stock")" "$(median "$TE_TMP/here")")" %.1f '>=' 5
}

# free_in_runs KIB: all of the volume v, in no order.
free_in_runs() {
	fio --name=trim --filename=/dev/mapper/v --rw=randtrim --bs="$1k" --ioengine=psync \
		>"$TE_TMP/fio"
}

delete_and_trim() {
	deactivate v
	message t delete 0
	[ -e /dev/mapper/p ] || return 0
	freeze_free_blocks t p
	discard_frozen p
}

mapped_kib() { # of the volume v; 0 when it is gone
	if [ -e /dev/mapper/v ]; then dmsetup status v | awk '{ print $4 / 2 }'; else echo 0; fi
}

# come_back DEVICE BLOCK_KIB FREE...: of a volume of $region KiB that is filled, and freed by
# the command FREE: the KiB that the pool then has free, and that the disks have back.
come_back() {
	local device=$1 block=$2 used
	shift 2
	pool t "$(disk 8)" "$device" $((block * 2)) skip_block_zeroing
	message t create_thin 0
	dmsetup create v --table "0 $((region * 2)) thin /dev/mapper/t 0"
	later dmsetup remove --retry v
	dd if=/dev/zero of=/dev/mapper/v bs=512k count=$((region / 512)) oflag=direct status=none
	used=$(used_kib)
	"$@"
	echo $((region - $(mapped_kib)))
	[ ! -e /dev/mapper/v ] || deactivate v
	[ ! -e /dev/mapper/p ] || dmsetup message p 0 flush >"$TE_TMP/flushed"
	echo $((used - $(used_kib)))
	deactivate t
}

# share FREED BACK: of what the disks had of it, parity included.
share() {
	divide "$2" $(($1 * disks / data_disks))
}

# comes_back WHAT BLOCK_KIB FREE...: on the array alone, and here.  A block that is no power
# of two in size may lie in two discards, where the block layer cuts, and is not freed then.
comes_back() {
	local what=$1 stock here
	shift
	stock=$(come_back "$md" "$@" | xargs)
	passdown p "$md" stripe $((data_disks * 1024))
	here=$(come_back /dev/mapper/p "$@" | xargs)
	deactivate p
	echo "$what: freed, back: stock $stock, here $here KiB"
	[ "${here% *}" -ge $((region / 2)) ] || return
	result "$what (stock: $(share $stock | cut -c1-4))" "$(share $here)" %.3f '>=' 1
}

# on_array LEVEL DISKS PARITIES: eight stripes of it are filled, and freed again.
on_array() {
	disks=$2
	data_disks=$((disks - $3))
	region=$((data_disks * 512 * 8))
	sparse_disks "$disks" 12
	md=$(md_array "$1" 512 "${sparse_disks[@]}")
}
off_array() {
	stop_array
	end_sparse_disks
}

all_whole_stripes_come_back() {
	local md disks data_disks region blocks kib status=0
	on_array 5 4 1
	for blocks in 1 4 16 64; do
		comes_back "RAID5 of 4, runs of $blocks x 64 KiB" 64 free_in_runs $((blocks * 64)) ||
			status=1
	done
	for kib in 512 1024 1536; do
		comes_back "RAID5 of 4, blocks of $kib KiB" $kib free_in_runs $kib || status=1
	done
	comes_back 'RAID5 of 4, deleted, trimmed' 64 delete_and_trim || status=1
	off_array
	for disks in 3 5 8; do
		on_array 5 $disks 1
		comes_back "RAID5 of $disks, blocks of 64 KiB" 64 free_in_runs 64 || status=1
		off_array
	done
	on_array 6 8 2
	comes_back 'RAID6 of 8, blocks of 64 KiB' 64 free_in_runs 64 || status=1
	off_array
	return $status
}

memory_is_two_bits_a_unit() {
	dmsetup create huge --table "0 $((1 << 31)) zero"
	later dmsetup remove --retry huge
	passdown p /dev/mapper/huge stripe 8 unit 8
	result 'passdown: memory, bits a unit' "$(awk '/te_units_init/ { bytes += $2 }
		END { print bytes * 8 / (2 ^ 31 / 8) }' /proc/vmallocinfo)" %.3f '<=' 2.01
	deactivate p huge
}

# flush_time SECTORS: of 20 flushes of one stripe, on a device as large, in microseconds.
flush_time() {
	local begin end i
	dmsetup create huge --table "0 $1 zero"
	later dmsetup remove --retry huge
	passdown p /dev/mapper/huge stripe 384
	blkdiscard /dev/mapper/p
	begin=$(now_us)
	for ((i = 0; i < 20; i++)); do
		dmsetup message p 0 flush 1 >"$TE_TMP/flushed"
	done
	end=$(now_us)
	deactivate p huge
	echo $((end - begin))
}
now_us() { echo "${EPOCHREALTIME/./}"; }

a_flush_is_as_quick_on_a_large_device() {
	local small large
	small=$(flush_time $((1 << 21)))
	large=$(flush_time $((1 << 31)))
	result 'passdown: a stripe flushed, 1 TiB against 1 GiB' "$(divide "$large" "$small")" \
		%.2f '<=' 1.5
}

members=$(slow_disks)
[ -n "$members" ] || skip_all "there are no slow disks: TE_DISK_RATE of tests/qemu/run"
trap 'sed "s/^/# /" "$TE_TMP/results" 2>/dev/null; te_end' EXIT
run_tests \
	writes_are_as_fast_as_on_the_array \
	what_a_write_costs_the_processor \
	a_file_system_is_trimmed_at_once \
	all_whole_stripes_come_back \
	memory_is_two_bits_a_unit \
	a_flush_is_as_quick_on_a_large_device
