#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What cannot become a pool is refused in words, and nothing of it is changed.
. "${0%/*}/lib.sh"
needs thin_restore thin_check blkid

example_pool pool
send_pool pool whole 2>/dev/null

# refused STATUS WORDS [OPTION]...: a receive into new.* is, and both files stay as they are.
refused() {
	status=$1
	words=$2
	shift 2
	sha256sum new.meta new.data >before
	fails "$status" "$words" receive_pool new -i whole "$@"
	sha256sum new.meta new.data | diff before -
}

a_missing_file_is_named() {
	new_target new 200
	rm new.data
	fails 1 "new.data does not exist" receive_pool new -i whole
	new_target new 200
	rm new.meta
	fails 1 "new.meta does not exist" receive_pool new -i whole
}

what_is_no_device_and_no_file_is_refused() {
	fails 1 "/dev/null is neither a block device nor a file" \
		"$te" receive -i whole --metadata /dev/null --data /dev/zero
	mkdir -p folder
	fails 1 "folder is neither a block device nor a file" \
		"$te" receive -i whole --metadata folder --data folder
}

metadata_and_data_on_one_file_are_refused() {
	new_target new 200
	fails 1 "are the same" "$te" receive -i whole --metadata new.data --data new.data
	ln new.data other.data
	fails 1 "are the same" "$te" receive -i whole --metadata new.data --data other.data
	ln -s new.data third.data
	fails 1 "are the same" "$te" receive -i whole --metadata third.data --data new.data
}

a_file_that_another_program_locks_is_refused() {
	command -v flock >/dev/null || skip "no flock"
	new_target new 200
	(flock 9 && exec sleep 60) 9<new.data &
	while flock -n new.data true; do sleep 0.1; done
	refused 1 "new.data is locked"
	kill $!
}

the_pool_that_is_being_sent_is_no_target() {
	cp pool.meta new.meta
	cp pool.data new.data
	sha256sum new.meta new.data >before
	# The sender has both files as long as nobody reads what it sends.
	"$te" send --metadata new.meta --data new.data | {
		dd of=/dev/null bs=1 count=1 status=none
		fails 1 "is locked" receive_pool new -i whole --force
		cat >/dev/null
	}
	sha256sum new.meta new.data | diff before -
}

metadata_too_small_is_refused_and_the_shortfall_named() {
	new_target new 200
	truncate -s 28K new.meta
	refused 1 "the metadata needs at least 10 blocks of 4 KiB, it has 7; 12288 bytes more are needed"
	truncate -s 0 new.meta
	refused 1 "new.meta is too small"
}

metadata_that_runs_full_later_leaves_no_pool() {
	for kib in 40 44 48; do
		new_target new 200
		truncate -s ${kib}K new.meta
		fails 1 "new.meta: the metadata does not fit" receive_pool new -i whole
		no_pool new
	done
	# And with so much it does fit.
	new_target new 200
	truncate -s 100K new.meta
	receive_pool new -i whole
	thin_check -q new.meta
}

a_file_system_is_named_and_not_overwritten() {
	command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
	new_target new 200
	mkfs.ext4 -q new.data
	refused 1 "new.data holds a signature of ext4"
	new_target new 200
	mkfs.ext4 -q new.meta
	refused 1 "new.meta holds a signature of ext4"
}

swap_a_partition_table_and_a_raid_member_are_named() {
	new_target new 200
	mkswap -q new.data
	refused 1 "new.data holds a signature of swap"
	command -v sfdisk >/dev/null || skip "no sfdisk"
	new_target new 200
	echo "2048,,83" | sfdisk -q new.data
	refused 1 "new.data holds a partition table of kind dos"
}

a_pool_is_named_and_not_overwritten() {
	cp pool.meta new.meta
	truncate -s $((200 * 65536)) new.data
	refused 1 "new.meta holds the metadata of a thin pool"
}

a_stream_is_named_and_not_overwritten() {
	new_target new 200
	cp whole new.data
	refused 1 "new.data holds a stream"
	new_target new 200
	cp whole new.meta
	refused 1 "new.meta holds a stream"
}

the_stream_itself_is_no_target_even_with_force() {
	new_target new 200
	for part in data meta; do
		new_target new 200
		truncate -s 20M new.$part
		dd if=whole of=new.$part conv=notrunc status=none
		sha256sum new.meta new.data >before
		fails 1 "is the stream that is to be received" \
			receive_pool new --force -i new.$part
		sha256sum new.meta new.data | diff before -
	done
}

# A closed one must not become the number of a device: what is said would be written there.
closed_standard_files_are_not_the_pool() {
	new_target new 200
	head -c 1000 whole >cut
	sha256sum new.meta new.data >before
	not sh -c '"$0" receive --metadata new.meta --data new.data -i cut <&- >&- 2>&-' "$te"
	sha256sum new.meta new.data | diff before -
	not sh -c '"$0" receive --metadata new.meta --data new.data <&-' "$te"
	not sh -c '"$0" send --metadata pool.meta --data pool.data >&-' "$te"
	sh -c '"$0" send --json --metadata pool.meta --data pool.data -o closed >&- 2>&-' "$te" || :
	if [ -e closed ]; then "$te" verify closed; fi
}

force_overwrites_and_leaves_no_old_signature() {
	command -v sfdisk >/dev/null || skip "no sfdisk"
	new_target new 400
	echo "label: gpt" | sfdisk -q new.data
	mkswap -q new.meta
	receive_pool new -i whole --force
	same_pool pool new
	# The second copy of a GPT lies at the very end.
	blkid -p new.data >found || true
	if grep -q gpt found; then
		cat found
		return 1
	fi
}

force_does_not_excuse_too_little_room() {
	cp pool.meta new.meta
	truncate -s 65536 new.data
	sha256sum new.meta new.data >before
	fails 1 "new.data is too small" receive_pool new -i whole --force
	sha256sum new.meta new.data | diff before -
}

a_file_that_may_not_be_written_is_named() {
	[ "$(id -u)" -ne 0 ] || command -v setpriv >/dev/null || skip "no setpriv"
	new_target new 200
	chmod 755 "$work"
	chmod 444 new.meta new.data whole
	cp "$te" ./thinexport
	drop="setpriv --reuid=65534 --clear-groups"
	[ "$(id -u)" -eq 0 ] || drop=
	fails 1 "cannot open new.meta for writing: Permission denied" \
		$drop ./thinexport receive -i whole --metadata new.meta --data new.data
}

a_device_that_fails_to_write_leaves_no_pool() {
	# A limit on the size of files stands for a full disk below them.
	for kib in 64 4096; do
		new_target new 200
		(
			trap '' XFSZ
			ulimit -f $((kib * 2))
			fails 1 "cannot write at byte" receive_pool new -i whole
		)
		no_pool new
	done
}

a_terminal_is_no_stream() {
	command -v script >/dev/null || skip "no script"
	new_target new 200
	sha256sum new.meta new.data >before
	script -qec "$te receive --metadata new.meta --data new.data" /dev/null >typescript &&
		return 1
	has "is a terminal" typescript
	sha256sum new.meta new.data | diff before -
}

wrong_usage_is_told_so() {
	for wrong in "" "--metadata new.meta" "--data new.data" \
		"--metadata new.meta --data new.data --no-such-option" \
		"--into" "--status" "vg/pool extra"; do
		got=0
		# shellcheck disable=SC2086
		"$te" receive $wrong 2>said </dev/null || got=$?
		[ $got -eq 2 ]
		has "Usage: thinexport receive" said
	done
	fails 2 "--size takes a size such as 20G, not '1X'" "$te" receive --size 1X vg/pool </dev/null
	fails 2 "--chunk-size takes a size such as 20G, not '0'" "$te" receive --chunk-size 0 vg/p </dev/null
	fails 2 "pool is no VG/POOL" "$te" receive pool </dev/null
	mkdir vg
	fails 2 "vg/pool is no VG/POOL, or is a file or in a folder that is here" "$te" receive vg/pool </dev/null
	rmdir vg
}

# Which of them it is that does not go with the target.
options_of_another_target_are_named() {
	new_target new 200
	for option in --into "--grow 1=1G" "--chunk-size 64K" "--size 1G" "--metadata-size 4M"; do
		# shellcheck disable=SC2086
		refused 2 "${option%% *} goes with VG/POOL, not with two devices" $option
	done
	for option in "--metadata new.meta" "--data new.data" "--metadata new.meta --data new.data" \
		--status --force "--checkpoint 1M"; do
		# shellcheck disable=SC2086
		fails 2 "${option%% *} goes with two devices (--metadata, --data), not with VG/POOL" \
			"$te" receive $option vg/pool </dev/null
	done
	for option in "--size 1G" "--metadata-size 4M"; do
		# shellcheck disable=SC2086
		fails 2 "${option%% *} goes with a pool that is made, not with --into" \
			"$te" receive --into $option vg/pool </dev/null
	done
}

run_tests a_missing_file_is_named \
	what_is_no_device_and_no_file_is_refused \
	metadata_and_data_on_one_file_are_refused \
	a_file_that_another_program_locks_is_refused \
	the_pool_that_is_being_sent_is_no_target \
	metadata_too_small_is_refused_and_the_shortfall_named \
	metadata_that_runs_full_later_leaves_no_pool \
	a_file_system_is_named_and_not_overwritten \
	swap_a_partition_table_and_a_raid_member_are_named \
	a_pool_is_named_and_not_overwritten \
	a_stream_is_named_and_not_overwritten \
	the_stream_itself_is_no_target_even_with_force \
	closed_standard_files_are_not_the_pool \
	force_overwrites_and_leaves_no_old_signature \
	force_does_not_excuse_too_little_room \
	a_file_that_may_not_be_written_is_named \
	a_device_that_fails_to_write_leaves_no_pool \
	a_terminal_is_no_stream \
	wrong_usage_is_told_so \
	options_of_another_target_are_named
