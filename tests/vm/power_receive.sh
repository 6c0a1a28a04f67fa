#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The power fails while `receive` writes over an old pool: then there is the old
# pool, or none, or the whole new one.  Where its place was kept, the rest completes it.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/power.bash"
needs dmsetup thin_check thin_ls mkfs.ext4 thinexport
needs_target thin-pool

# The pool that is to be overwritten, in the files metadata and data: its volume 7
# starts with a signature that `receive` must take off the data device.
old_pool() {
	metadata=$(disk 2)
	data=$(disk 16)
	pool p "$metadata" "$data"
	volume p 7 8 v7
	# Its first block is to be the pool's first, too.
	fill /dev/mapper/v7 7 0 64
	mkfs.ext4 -q -E nodiscard /dev/mapper/v7
	fill /dev/mapper/v7 7 4096 4096
	cp /dev/mapper/v7 "$TE_TMP/old7"
	deactivate v7 p
	cp "$metadata" "$TE_TMP/metadata"
	cp "$data" "$TE_TMP/data"
}

# What is received: volume 0, its snapshot 1 from before a part was written again.
make_stream() {
	from_metadata=$(disk 4)
	from_data=$(disk 16)
	pool p "$from_metadata" "$from_data"
	volume p 0 8 v0
	fill /dev/mapper/v0 1 0 6144
	snapshot p 1 0
	fill /dev/mapper/v0 2 1024 2048
	activate p 1 8 v1
	cp /dev/mapper/v0 "$TE_TMP/new0"
	cp /dev/mapper/v1 "$TE_TMP/new1"
	deactivate v0 v1 p
	thinexport send --metadata "$from_metadata" --data "$from_data" -o "$TE_TMP/stream"
}

has_volume() { # has_volume ID FILE
	activate q "$1" 8 volume
	cmp /dev/mapper/volume "$TE_TMP/$2"
	deactivate volume
}

# What is on the disks: $found is none, old or new, and whole.
judge() {
	found=none
	if thin_check -q --super-block-only "$metadata"; then
		thin_check "$metadata"
		case $(thin_ls --no-headers -o DEV "$metadata" | tr -d ' \n') in
		7) found=old ;;
		01) found=new ;;
		esac
		pool_open q "$metadata" "$data"
		if [ $found = old ]; then
			has_volume 7 old7
		else
			has_volume 0 new0
			has_volume 1 new1
		fi
		deactivate q
	elif ! cmp -s -n 4096 "$metadata" /dev/zero; then
		# Of zeros the kernel makes a new pool; this it must not take for one.
		fails pool_open q "$metadata" "$data"
	fi
}

the_power_fails_while_a_pool_is_received() {
	local moment seed found last
	declare -A times=([none]=0 [old]=0 [new]=0)
	old_pool
	make_stream
	declare -p metadata data from_metadata from_data >"$TE_TMP/disks_of_pools"
	record "$TE_TMP/metadata" "$TE_TMP/data"
	thinexport receive --force -i "$TE_TMP/stream" --metadata /dev/nbd0 --data /dev/nbd1
	end_record
	# Of what was in a cache is kept: nothing, the last, some pages.
	for moment in $(moments); do
		for seed in 0 1 2; do
			power_cut "$moment" $seed "$metadata" "$data"
			judge
			echo "moment $moment, seed $seed: $found"
			times[$found]=$((times[$found] + 1))
			[ $seed -ne 0 ] || last=$found
		done
	done
	echo "${times[none]} none, ${times[old]} old, ${times[new]} new"
	[ "${times[none]}" -gt 0 ]
	[ "${times[old]}" -gt 0 ]
	# What was reported done is on the disks, whatever their caches lose.
	[ "$last" = new ]
}

# Goes on from what is on the disks, when a place was kept: $found is then resumed.
go_on() {
	local token
	found=none
	token=$(thinexport receive --status --metadata "$metadata") || return 0
	fails pool_open q "$metadata" "$data"
	thinexport send --metadata "$from_metadata" --data "$from_data" --resume "$token" |
		thinexport receive --metadata "$metadata" --data "$data"
	judge
	[ $found = new ]
	found=resumed
}

the_power_fails_while_a_receive_keeps_its_place() {
	local moment seed found number=0 resumed=0
	local metadata data from_metadata from_data
	# No kernel has a part in the order of what is flushed.
	on_one_kernel
	# Those of the test before.
	. "$TE_TMP/disks_of_pools"
	record "$TE_TMP/metadata" "$TE_TMP/data"
	thinexport receive --force -i "$TE_TMP/stream" --checkpoint 512K --metadata /dev/nbd0 \
		--data /dev/nbd1
	end_record
	for moment in $(moments); do
		# Each third by chance, the last write overtaking, or nothing kept.
		seed=$((number++ % 3))
		power_cut "$moment" $seed "$metadata" "$data"
		go_on
		echo "moment $moment, seed $seed: $found"
		[ $found != resumed ] || resumed=$((resumed + 1))
	done
	echo "$resumed of $number resumed"
	[ $resumed -ge 5 ]
}

run_tests the_power_fails_while_a_pool_is_received \
	the_power_fails_while_a_receive_keeps_its_place
