#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Pools named by LVM's names: what LVM knows of them travels, and what it does
# beside a send does no harm.
# kernel: 6.1
# timeout: 600
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
. "$(dirname "$0")/lvm.bash"
needs lvm thin_check thinexport jq busybox
needs_target thin-pool linear

# A group v-g with a pool my-pool of three volumes, one of them not active, a
# snapshot and a thick volume; or the one that a test before has left as it was.
begin() {
	! vgs v-g >/dev/null 2>&1 || return 0
	group v-g "$(disk 256)"
	lvm_pool v-g/my-pool 64 --addtag pool.tag
	lvm_volume v-g/my-pool web 32 --addtag a --addtag b=c/d
	lvm_volume v-g/my-pool db-1 16
	fill /dev/v-g/web 1 0 8192
	fill /dev/v-g/db-1 2 0 4096
	lvm_snapshot v-g/web web-snap
	lvchange -q -pr v-g/web-snap
	fill /dev/v-g/web 3 4096 4096
	lvchange -an v-g/db-1
	lvcreate -q -y -Wn -L 8M -n thick v-g
}
tpool=v--g-my--pool-tpool
end() {
	nothing_is_left $tpool
	vgck v-g
}
end_changed() {
	end
	te_drop_group v-g
}

# What the catalog tells of a volume must be what lvs tells: told_as_lvs STREAM NAME
told_as_lvs() {
	catalog "$1" | jq -r --arg name "$2" '.volumes[] | select(.name == $name) |
		[.id, .sectors, .lvm.uuid, (.lvm.tags | join(",")), (.lvm.origin // ""),
		 (if .lvm.skip_activation then 1 else 0 end), (.lvm.created | tostring),
		 (.lvm.transaction_id // 0), .lvm.host] | join("|")' >"$TE_TMP/told"
	lvs --noheadings --nosuffix --units s --binary --separator '|' \
		--config 'report/time_format="%s"' -o \
		thin_id,lv_size,lv_uuid,lv_tags,origin,lv_skip_activation,lv_time,transaction_id,lv_host \
		"v-g/$2" | sed 's/^ *//' >"$TE_TMP/lvs"
	cat "$TE_TMP/told" "$TE_TMP/lvs"
	grep -q '|' "$TE_TMP/lvs"
	cmp "$TE_TMP/told" "$TE_TMP/lvs"
}

# As `begin` made it: arrives_whole STREAM
arrives_whole() {
	arrives "$1"
	activate there 1 32 there-web
	activate there 2 16 there-db
	activate there 3 32 there-snap
	holds /dev/mapper/there-web 1 0 4096
	holds /dev/mapper/there-web 3 4096 4096
	holds /dev/mapper/there-db 2 0 4096
	holds /dev/mapper/there-snap 1 0 8192
	deactivate there-snap there-db there-web there
}

what_lvm_knows_of_a_pool_travels() {
	local name
	begin
	thinexport send v-g/my-pool >"$TE_TMP/stream"
	[ "$(names "$TE_TMP/stream")" = 'db-1 web web-snap ' ]
	for name in db-1 web web-snap; do
		told_as_lvs "$TE_TMP/stream" $name
	done
	catalog "$TE_TMP/stream" | jq -e '.volumes[] | select(.name == "web-snap") |
		.lvm.read_only and .size_from == "known"'
	catalog "$TE_TMP/stream" | jq -e '.volumes[] | select(.name == "web") | .lvm.read_only | not'
	catalog "$TE_TMP/stream" | jq -e --arg uuid "$(lv_field v-g/my-pool lv_uuid)" '.pool |
		.name == "v-g/my-pool" and .block_sectors == 128 and .data_blocks == 1024 and
		.transaction_id == 3 and .lvm.transaction_id == 3 and .lvm.group == "v-g" and
		.lvm.uuid == $uuid and .lvm.tags == ["pool.tag"] and .lvm.metadata_sectors == 8192 and
		.lvm.zero and .lvm.discards == "passdown" and (.lvm.error_when_full | not)'
	arrives_whole "$TE_TMP/stream"
	thinexport verify --against v-g/my-pool "$TE_TMP/stream"
	thinexport info v-g/my-pool | grep 'web-snap$'
	# The pool's features go the other way round as well.
	vgchange -q -an v-g
	lvchange -q --errorwhenfull y v-g/my-pool
	lvchange -q --discards nopassdown v-g/my-pool
	lvchange -q -Zn v-g/my-pool
	vgchange -q -ay v-g
	thinexport send --direct v-g/my-pool >"$TE_TMP/other"
	catalog "$TE_TMP/other" | jq -e '.pool.lvm | (.zero | not) and .error_when_full and
		.discards == "nopassdown"'
	end_changed
}

volumes_are_sent_by_their_names() {
	begin
	thinexport send v-g/db-1 v-g/web >"$TE_TMP/stream"
	[ "$(names "$TE_TMP/stream")" = 'db-1 web ' ]
	thinexport send --volume web-snap v-g/my-pool >"$TE_TMP/one"
	[ "$(names "$TE_TMP/one")" = 'web-snap ' ]
	# By its device's name, LVM is not asked.
	thinexport send --volume v--g-web $tpool >"$TE_TMP/raw"
	[ "$(names "$TE_TMP/raw")" = 'v--g-web ' ]
	catalog "$TE_TMP/raw" | jq -e '.pool.lvm == null'
	end
}

nothing_stands_still_for_a_snapshot_that_nobody_can_write_to() {
	begin
	thinexport send --json v-g/web-snap v-g/db-1 2>"$TE_TMP/said" >"$TE_TMP/stream"
	tail -n 1 "$TE_TMP/said" | jq -e '.stood_still_us == 0'
	lvchange -q -ay -K v-g/web-snap
	thinexport send v-g/web-snap 2>"$TE_TMP/said" >"$TE_TMP/stream"
	cat "$TE_TMP/said"
	fails grep 'stood still' "$TE_TMP/said"
	thinexport verify --against v-g/web-snap "$TE_TMP/stream"
	# One that is open may have been opened before it became read-only.
	exec 7<"/dev/v-g/web-snap"
	thinexport send v-g/web-snap 2>"$TE_TMP/said" >"$TE_TMP/stream"
	exec 7<&-
	grep 'stood still for' "$TE_TMP/said"
	# One that can be written to has its window, open or not.
	lvchange -q -an v-g/web-snap
	lvchange -q -prw v-g/web-snap
	lvchange -q -ay -K v-g/web-snap
	thinexport send v-g/web-snap 2>"$TE_TMP/said" >"$TE_TMP/stream"
	grep 'stood still for' "$TE_TMP/said"
	lvchange -q -pr v-g/web-snap
	lvchange -q -an v-g/web-snap
	end
}

lvm_goes_on_during_a_send() {
	begin
	hold_sender --direct v-g/my-pool
	lvs -a v-g
	lvm_volume v-g/my-pool new 8
	lvm_snapshot v-g/web later
	lvextend -q -L +8M v-g/web
	lvextend -q -L +8M v-g/my-pool
	lvchange -q --addtag more v-g/web
	# The snapshot that is read is open: nobody deletes it.
	fails_with busy message $tpool delete "$(dmsetup table "$(pin 1)" | cut -d' ' -f5)"
	cat "$TE_TMP/pipe" >"$TE_TMP/rest" &
	# What is being sent stays as it was, whatever becomes of the volume.
	lvremove -q -y v-g/db-1
	wait $te_sender
	exec 8>&-
	nothing_is_left $tpool
	[ "$(lvs --noheadings -o lv_name -S 'pool_lv=my-pool' v-g | tr -d ' ' | sort | tr '\n' ' ')" = \
		'later new web web-snap ' ]
	lvm_snapshot v-g/new newer
	thinexport send v-g/my-pool >"$TE_TMP/stream"
	[ "$(names "$TE_TMP/stream")" = 'later new newer web web-snap ' ]
	end_changed
}

a_volume_that_lvm_does_not_know_is_told_and_sent_when_asked_for() {
	begin
	message $tpool create_thin 77
	thinexport send v-g/my-pool 2>"$TE_TMP/said" >"$TE_TMP/stream"
	grep 'the pool has 1 volume that LVM does not know, by device id 77;' "$TE_TMP/said"
	[ "$(catalog "$TE_TMP/stream" | jq -c '[.volumes[].id] | sort')" = '[1,2,3]' ]
	thinexport send v-g/db-1 2>&1 >/dev/null | grep 'LVM does not know, by device id 77;'
	thinexport send --volume 77 v-g/my-pool 2>"$TE_TMP/said" >"$TE_TMP/one"
	[ "$(catalog "$TE_TMP/one" | jq -c '[.volumes[].id]')" = '[77]' ]
	fails grep 'does not know' "$TE_TMP/said"
	message $tpool delete 77
	# And the other way round.
	lvm_volume v-g/my-pool lost 8
	lvchange -q -an v-g/lost
	message $tpool delete 4
	fails_with 'LVM has a volume lost \(device id 4\), but the pool has not' \
		thinexport send v-g/my-pool >"$TE_TMP/more"
	thinexport send --force v-g/my-pool >"$TE_TMP/more"
	[ "$(names "$TE_TMP/more")" = 'db-1 web web-snap ' ]
	message $tpool create_thin 4
	end_changed
}

another_transaction_id_is_told_and_needs_force() {
	begin
	message $tpool set_transaction_id 3 9
	fails_with 'LVM has transaction id 3, the pool 9' \
		thinexport send v-g/my-pool >"$TE_TMP/stream"
	nothing_is_left $tpool
	thinexport send --force v-g/my-pool 2>"$TE_TMP/said" >"$TE_TMP/stream"
	grep 'warning: .*LVM has transaction id 3, the pool 9' "$TE_TMP/said"
	catalog "$TE_TMP/stream" | jq -e '.pool.transaction_id == 9 and .pool.lvm.transaction_id == 3'
	thinexport info v-g/my-pool >/dev/null
	message $tpool set_transaction_id 9 3
	# Where it arrives they agree, and LVM works on with it.
	group new "$(disk 120)"
	thinexport receive -i "$TE_TMP/stream" new/my-pool
	[ "$(lv_field new/my-pool transaction_id)" = 9 ]
	[ "$(dmsetup status new-my--pool-tpool | cut -d' ' -f4)" = 9 ]
	lvm_snapshot new/web later
	te_drop_group new
	end
}

refused() { # refused PATTERN ARGUMENT...: in these words, and nothing is left of it
	local pattern=$1
	shift
	fails_with "$pattern" thinexport send -o "$TE_TMP/no-stream" "$@"
	[ ! -e "$TE_TMP/no-stream" ]
}

what_cannot_be_sent_is_refused_in_words() {
	begin
	lvm_pool v-g/second 16
	lvm_volume v-g/second sec 8
	refused '`lvm vgs` says: Volume group "nope" not found' nope/my-pool
	refused 'volume group v-g has no volume nope; `lvs v-g` lists' v-g/nope
	refused 'v-g/thick is no thin pool and no thin volume: it is of type linear' v-g/thick
	refused 'v-g/my-pool is a pool: name it alone' v-g/my-pool v-g/web
	refused 'v-g/sec one of the pool second' v-g/web v-g/sec
	refused 'other/web is not of the same volume group as v-g/web' v-g/web other/web
	refused 'the pool has no volume nope' --volume nope v-g/my-pool
	refused 'the pool has no volumes' v-g/$(lvm_pool v-g/none 8 >&2 && echo none)
	lvchange -q -an v-g/second v-g/sec
	refused 'v-g/second is not active here: `lvchange -ay v-g/second` activates it' v-g/second
	lvconvert -q -y --type thin --thinpool v-g/my-pool --originname ext v-g/thick
	refused 'thick has an external origin' v-g/my-pool
	vgchange -q -an v-g
	vgexport -q v-g
	refused 'volume group v-g is exported.*`vgimport v-g` takes it back' v-g/web
	vgimport -q v-g
	vgchange -q -ay v-g
	end_changed
}

a_group_that_lvm_has_locked_is_waited_for() {
	begin
	flock /run/lock/lvm/V_v-g sleep 5 &
	thinexport send v-g/db-1 >"$TE_TMP/stream"
	wait $!
	end
}

a_group_that_lvm_keeps_locked_is_told() {
	begin
	# Its lock is that process's alone.
	(flock 9 && exec sleep 100) 9>>/run/lock/lvm/V_v-g &
	wait_for 10 fails flock -n /run/lock/lvm/V_v-g true
	refused 'an LVM command has kept the volume group v-g locked for 30 s' v-g/db-1
	kill $!
	end
}

# What the message of a pool that is not active tells to do.
a_pool_that_is_not_active_is_sent_by_its_parts() {
	begin
	vgchange -q -an v-g
	lvchange -ay -y v-g/my-pool_tmeta
	lvchange -ay -y v-g/my-pool_tdata
	thinexport send --metadata /dev/v-g/my-pool_tmeta --data /dev/v-g/my-pool_tdata \
		--size 1=65536 --size 2=32768 --size 3=65536 >"$TE_TMP/stream"
	fails lvchange -q -ay v-g/my-pool
	lvchange -an v-g/my-pool_tmeta
	lvchange -an v-g/my-pool_tdata
	arrives_whole "$TE_TMP/stream"
	vgchange -q -ay v-g
	lvchange -q -an v-g/db-1
	end
}

without_lvm2_that_is_told() {
	begin
	cp "$(type -P thinexport)" "$TE_TMP/thinexport"
	# In a mount namespace of its own there is no lvm.
	fails_with 'there is no program lvm: install lvm2' busybox unshare -m busybox sh -c "
		for folder in /usr/sbin /sbin; do busybox mount -t tmpfs none \$folder; done
		'$TE_TMP/thinexport' send v-g/my-pool >'$TE_TMP/none'"
	end
}

a_view_and_cleanup_take_lvm_s_names() {
	begin
	if load_module; then
		thinexport view open --volume web v-g/my-pool seen
		thinexport send -n --json /dev/mapper/seen | jq -e '.volumes | length == 1'
		thinexport cleanup v-g/my-pool
		thinexport view close seen
	fi
	hold_sender --direct v-g/my-pool
	kill -KILL $te_sender
	wait $te_sender || true
	exec 8>&-
	thinexport cleanup -n other/pool 2>&1 | grep 'nothing to clean up'
	thinexport cleanup v-g/my-pool
	end
}

# The last four change the group.
run_tests \
	volumes_are_sent_by_their_names \
	nothing_stands_still_for_a_snapshot_that_nobody_can_write_to \
	another_transaction_id_is_told_and_needs_force \
	a_group_that_lvm_has_locked_is_waited_for \
	a_group_that_lvm_keeps_locked_is_told \
	a_pool_that_is_not_active_is_sent_by_its_parts \
	without_lvm2_that_is_told \
	a_view_and_cleanup_take_lvm_s_names \
	what_lvm_knows_of_a_pool_travels \
	a_volume_that_lvm_does_not_know_is_told_and_sent_when_asked_for \
	lvm_goes_on_during_a_send \
	what_cannot_be_sent_is_refused_in_words
