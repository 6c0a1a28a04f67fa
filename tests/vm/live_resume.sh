#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A send of a live pool that was interrupted goes on from the same moment, while the
# pool goes on changing; until then its snapshots stay, and are told of.
# TE_POINTS: how often the transfer is interrupted at random, on both sides (4).
# kernel: 6.1
# timeout: 900
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/lvm.bash"
needs dmsetup thinexport thin_check thin_dump thin_ls jq lvm
needs_target thin-pool linear

id=00112233445566778899aabbccddeeff

# A pool p: v0, its older snapshot 1 whose length nobody knows, v2.  What they hold is
# kept in files.
begin() {
	later te_forget_records
	pool p "$(disk 8)" "$(disk 96)"
	volume p 0 16 v0
	fill /dev/mapper/v0 1 0 14336
	snapshot p 1 0
	fill /dev/mapper/v0 2 4096 3072
	volume p 2 8 v2
	fill /dev/mapper/v2 3 1024 4096
	activate p 1 16 v1
	cp /dev/mapper/v0 "$TE_TMP/v0"
	cp /dev/mapper/v1 "$TE_TMP/v1"
	cp /dev/mapper/v2 "$TE_TMP/v2"
	deactivate v1
	meta=$(disk 4)
	data=$(disk 48)
}

end() {
	read -r metadata _ < <(pool_devices p)
	nothing_is_left p
	deactivate v0 v2 p
	has_only "$metadata" 0 1 2
}

send() { thinexport send --codec none "$@"; }
place() { thinexport receive --status --metadata "$meta"; }	# prints the token
receive() {
	thinexport receive --checkpoint 512K --metadata "$meta" --data "$data"
}

wipe() {
	blkdiscard -z "$meta"
	blkdiscard -z "$data"
}

# What was received is what the volumes held at the moment.
is_the_moment() {
	thin_check "$meta"
	pool_open q "$meta" "$data"
	activate q 0 16 a0
	activate q 1 16 a1
	activate q 2 8 a2
	cmp /dev/mapper/a0 "$TE_TMP/v0"
	cmp /dev/mapper/a1 "$TE_TMP/v1"
	cmp /dev/mapper/a2 "$TE_TMP/v2"
	deactivate a0 a1 a2 q
}

# Another content, blocks given back, snapshots and a volume that come and go.
change() { # change DEVICE FILE: until the file is gone
	while [ -e "$2" ]; do
		dd if=/dev/urandom of="$1" bs=64k count=8 seek=$((RANDOM % 240)) oflag=direct \
			conv=notrunc status=none
		blkdiscard -o $((RANDOM % 240 * 65536)) -l 65536 "$1"
		message p create_thin 50
		snapshot p 51 0
		message p delete 50
		message p delete 51
		sleep 0.3
	done
}

# attempt CAUSE COMMAND...: sends into the receive, until the cause ends it.
attempt() {
	local cause=$1 sender receiver
	shift
	rm -f "$TE_TMP/pipe"
	mkfifo "$TE_TMP/pipe"
	# None that opens it waits for the other, who may be dead by then.
	exec 9<>"$TE_TMP/pipe"
	# Not the function, of which a shell would be killed.
	thinexport receive --checkpoint 512K --metadata "$meta" --data "$data" <"$TE_TMP/pipe" 9>&- &
	receiver=$!
	wait_for 20 has_pipe $receiver 0
	if [ "$cause" = network ]; then
		"$@" 9>&- | head -c $((RANDOM * 300)) >"$TE_TMP/pipe" || true
		exec 9>&-
	else
		"$@" >"$TE_TMP/pipe" 9>&- &
		sender=$!
		wait_for 20 has_pipe $sender 1
		exec 9>&-
		sleep 0.$((RANDOM % 7))$((RANDOM % 10))
		kill -9 ${!cause} || true
		wait $sender || true
	fi
	wait $receiver || true
}

has_pipe() { [ "$(readlink "/proc/$1/fd/$2")" = "$TE_TMP/pipe" ] || ! kill -0 "$1" 2>/dev/null; }

wherever_it_was_interrupted_it_goes_on() {
	local busy=$TE_TMP/busy whole=$TE_TMP/whole point token bytes writer times=0 more place
	local cause causes=(sender receiver network)
	begin
	send --resumable --stream-id $id p >"$whole"
	touch "$busy"
	change /dev/mapper/v0 "$busy" &
	writer=$!
	receive <"$whole"
	is_the_moment
	thin_dump "$meta" >"$TE_TMP/dump"
	cp "$data" "$TE_TMP/data"
	bytes=$(stat -c %s "$whole")
	for ((point = 0; point < ${TE_POINTS:-4}; point += 2)); do
		wipe
		more=$(((RANDOM * 32768 + RANDOM) % (bytes - 3000000)))
		head -c $((2500000 + more)) "$whole" | fails receive
		times=$((times + 1))
		token=$(place)
		# What has arrived goes once more at most as far as a place and a frame reach.
		[ "$(send --resume "$token" p | wc -c)" -le $((bytes - more - 2500000 + 1700000)) ]
		cause=${causes[point / 2 % 3]}
		attempt "$cause" thinexport send --codec none --resume "$token" p
		if place=$(place); then
			times=$((times + 1))
			send --resume "$place" p | receive
		fi
		thin_check "$meta"
		thin_dump "$meta" | cmp - "$TE_TMP/dump"
		cmp "$data" "$TE_TMP/data"
	done
	echo "interrupted $times times"
	rm "$busy"
	wait $writer
	thinexport cleanup --pending p
	fails_with "no send of stream $id is pending" send --resume "$token" -o "$TE_TMP/none" p
	end
}

# A send to a file for which there is room only behind its beginning.
break_off_at_file() {
	rm -f "$TE_TMP/f"*
	(ulimit -f 4096 && fails_with 'File too large' \
		thinexport send --codec none --resumable -o "$TE_TMP/f" "$@")
	[ ! -e "$TE_TMP/f" ]
	[ "$(stat -c %s "$TE_TMP/f.part")" -gt 3000000 ]
}

told() { thinexport cleanup -n --json | jq -e "$1"; }

a_pending_send_is_told_of_and_stays_until_it_is_dropped() {
	local other=ff112233445566778899aabbccddeeff
	begin
	send --resumable --stream-id $id p | head -c 3000000 >"$TE_TMP/part" || true
	if dmsetup ls | grep thinexport-; then return 1; fi
	thinexport cleanup -n p >"$TE_TMP/told"
	cat "$TE_TMP/told"
	[ "$(sed -n 1p "$TE_TMP/told")" = "stream $id of p is pending" ]
	grep -E '^  since 20..-..-.. ..:.., with 3 snapshots that may come to hold 21 MiB$' \
		"$TE_TMP/told"
	[ "$(wc -l <"$TE_TMP/told")" -eq 2 ]
	thinexport cleanup p 2>&1 | grep "$id is pending and stays, with 3 snapshots"
	told ".runs | length == 1 and .[0].stream_id == \"$id\" and .[0].stays and
		.[0].snapshots == 3 and .[0].most_bytes == 22020096 and .[0].acts == []"

	# Beside it another moment, of the pool's own volumes alone.
	send p 2>"$TE_TMP/said" >"$TE_TMP/plain"
	thinexport info --json "$TE_TMP/plain" | jq -e '[.volumes[].id] | sort == [0, 1, 2]'
	grep "stream $id is pending, and stays" "$TE_TMP/said"
	fails_with 'is pending under this id' send --resumable --stream-id $id -o "$TE_TMP/none" p
	# What nobody can have begun to receive is not kept.
	fails send --resumable p >/dev/full
	told '.runs | length == 1'
	send --resumable --stream-id $other p >"$TE_TMP/whole"
	told '.runs | length == 2'
	thinexport cleanup --pending -n $other | grep 'would delete the snapshot'
	thinexport cleanup --pending $other
	told '.runs | length == 1'
	# Killed in the midst of going on, it leaves devices; they alone are cleaned up.
	fails receive <"$TE_TMP/part"
	hold_sender --resume "$(place)" p
	kill -9 $te_sender
	wait $te_sender || true
	exec 8>&-
	thinexport cleanup -n p | grep 'would remove the device thinexport-'
	thinexport cleanup p
	told '.runs | length == 1 and .[0].acts == []'
	send --resume "$(place)" p | receive
	is_the_moment
	fails thinexport cleanup --pending
	thinexport cleanup --pending p
	end
}

# What a reboot leaves: the record of another boot, snapshots, and nothing else.
reboot() {
	local metadata data
	read -r metadata data < <(pool_devices p)
	dmsetup ls | sed -n 's/^\(thinexport-[^ \t]*\).*/\1/p' | xargs -r -n1 dmsetup remove --retry
	deactivate v0 v2 p
	rm -f /run/thinexport/*
	sed -i "s/^boot ./boot x/" $te_records/*.record
	pool_open p "$metadata" "$data"
	activate p 0 16 v0
	activate p 2 8 v2
}

a_file_is_gone_on_with_after_a_reboot_by_the_same_command() {
	begin
	break_off_at_file --volume v0 --volume 1 --volume 2 p
	fill /dev/mapper/v0 9 0 8192
	reboot
	fill /dev/mapper/v2 9 0 4096
	send --resumable -o "$TE_TMP/f" --volume v0 --volume 1 --volume 2 p
	[ ! -e "$TE_TMP/f.part" ]
	thinexport verify "$TE_TMP/f"
	nothing_is_left p
	receive <"$TE_TMP/f"
	is_the_moment
	end
}

# The pending send whose first part is received.
pend() {
	{ send --resumable --stream-id $id "$@" || true; } | head -c 4000000 | fails receive
	token=$(place)
}

refused() { # refused PATTERN ARGUMENT...: and the send stays pending
	local pattern=$1
	shift
	fails_with "$pattern" send --resume "$token" -o "$TE_TMP/no-stream" "$@"
	[ ! -e "$TE_TMP/no-stream" ]
	told '.runs | length == 1 and .[0].acts == []'
}

what_is_not_the_same_moment_is_refused() {
	local token
	begin
	pend p
	pool other "$(disk 4)" "$(disk 16)"
	refused 'is of the pool p' other
	deactivate other
	refused 'not what the interrupted stream was made of' --volume 0 p
	refused 'not what the interrupted stream was made of' --name 0=x p
	refused 'known to be|not what the interrupted stream was made of' --size 1=99999 p
	# Somebody writes to a snapshot, the first one below the top of the ids.
	activate p 16777214 16 snap
	dd if=/dev/zero of=/dev/mapper/snap bs=64k count=1 oflag=direct status=none
	deactivate snap
	refused 'snapshot 16777214 of volume 1.*is not what it was' p
	message p delete 16777214
	refused 'snapshot 16777214 of volume 1.*is gone' p
	snapshot p 16777214 1
	refused 'snapshot 16777214 of volume 1.*is not what it was' p
	# What is no more the run's is not deleted.
	fails_with 'another time of creation' thinexport cleanup --pending p
	message p delete 16777214
	end
}

lvm_s_pool_goes_on_through_whatever_lvm_does() {
	local token tpool=v--g-my--pool-tpool before
	later te_forget_records
	group v-g "$(disk 128)"
	lvm_pool v-g/my-pool 64 --addtag pool.tag
	lvm_volume v-g/my-pool web 16 --addtag a
	lvm_volume v-g/my-pool db 8
	fill /dev/v-g/web 1 0 12288
	lvm_snapshot v-g/web web-snap
	fill /dev/v-g/web 2 4096 3072
	fill /dev/v-g/db 3 1024 4096
	cp /dev/v-g/web "$TE_TMP/v0"
	cp /dev/v-g/db "$TE_TMP/v2"
	meta=$(disk 4)
	data=$(disk 48)
	before=$(lv_field v-g/my-pool transaction_id)
	pend v-g/my-pool
	[ "$(lv_field v-g/my-pool transaction_id)" = "$before" ]
	# LVM has other names, volumes, tags and transactions now.
	lvm_volume v-g/my-pool new 8
	fill /dev/v-g/web 9
	lvm_snapshot v-g/new newer
	lvremove -q -y v-g/db
	lvrename -q v-g/web v-g/www
	lvchange -q --addtag more v-g/www
	vgchange -q -an v-g
	sed -i "s/^boot ./boot x/" $te_records/*.record
	vgchange -q -ay v-g
	lvextend -q -L +8M v-g/my-pool
	[ "$(dmsetup status $tpool | cut -d' ' -f4)" = "$(lv_field v-g/my-pool transaction_id)" ]
	refused 'volume group v-g has no volume web' v-g/web
	refused 'is of other volumes' v-g/www
	send --resume "$token" v-g/my-pool | receive
	thin_check "$meta"
	pool_open q "$meta" "$data"
	activate q 1 16 web
	activate q 2 8 db
	cmp /dev/mapper/web "$TE_TMP/v0"
	cmp /dev/mapper/db "$TE_TMP/v2"
	deactivate web db q
	thinexport cleanup --pending v-g/my-pool
	nothing_is_left $tpool
	vgck v-g
	lvm_volume v-g/my-pool last 8
	send v-g/my-pool 2>"$TE_TMP/said" >"$TE_TMP/all"
	if grep 'does not know' "$TE_TMP/said"; then return 1; fi
	te_drop_group v-g
}

run_tests \
	wherever_it_was_interrupted_it_goes_on \
	a_file_is_gone_on_with_after_a_reboot_by_the_same_command \
	a_pending_send_is_told_of_and_stays_until_it_is_dropped \
	what_is_not_the_same_moment_is_refused \
	lvm_s_pool_goes_on_through_whatever_lvm_does
