#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A moment of a live pool that is kept as a view: a receive of it that was
# interrupted, while the pool goes on changing, ends as if it had not been.
# kernel: 6.12
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
needs dmsetup thinexport thin_check
needs_target thin-pool
needs_module

id=00112233445566778899aabbccddeeff

# Writes to the volume until the file is gone.
write_on() { # write_on DEVICE FILE
	while [ -e "$2" ]; do
		dd if=/dev/urandom of="$1" bs=64k count=8 seek=$((RANDOM % 256)) oflag=direct \
			conv=notrunc status=none
	done
}

both_ends_are_killed_and_the_moment_still_arrives_whole() {
	local meta data busy=$TE_TMP/busy writer sender receiver token
	pool p "$(disk 8)" "$(disk 128)"
	volume p 0 32 v0
	fill /dev/mapper/v0 1 0 32768
	snapshot p 1 0
	fill /dev/mapper/v0 2 4096 4096
	touch "$busy"
	write_on /dev/mapper/v0 "$busy" &
	writer=$!
	thinexport view open p moment
	thinexport send --codec none --stream-id $id /dev/mapper/moment >"$TE_TMP/whole"
	meta=$(disk 4)
	data=$(disk 64)

	mkfifo "$TE_TMP/pipe"
	thinexport receive --metadata "$meta" --data "$data" --checkpoint 1M <"$TE_TMP/pipe" &
	receiver=$!
	head -c 10700000 "$TE_TMP/whole" >"$TE_TMP/pipe"
	fails wait $receiver
	token=$(thinexport receive --status --metadata "$meta")

	rm "$TE_TMP/pipe"
	mkfifo "$TE_TMP/pipe"
	thinexport receive --metadata "$meta" --data "$data" --checkpoint 1M <"$TE_TMP/pipe" &
	receiver=$!
	thinexport send --codec none --resume "$token" /dev/mapper/moment >"$TE_TMP/pipe" &
	sender=$!
	sleep 0.5
	kill -9 $sender $receiver || true
	wait $sender $receiver || true

	# The one was quicker than the other's death, or there is a place to go on at.
	if token=$(thinexport receive --status --metadata "$meta"); then
		thinexport send --codec none --resume "$token" /dev/mapper/moment |
			thinexport receive --metadata "$meta" --data "$data"
	fi
	rm "$busy"
	wait $writer
	thin_check "$meta"
	thinexport send --codec none --stream-id $id /dev/mapper/moment | cmp - "$TE_TMP/whole"
	thinexport verify "$TE_TMP/whole" --against /dev/mapper/moment
	thinexport view close moment

	pool_open q "$meta" "$data"
	activate q 1 32 arrived
	activate p 1 32 v1
	cmp /dev/mapper/arrived /dev/mapper/v1
	deactivate arrived v1 q
	fails thinexport receive --status --metadata "$meta"
	deactivate v0 p
}

run_tests both_ends_are_killed_and_the_moment_still_arrives_whole
