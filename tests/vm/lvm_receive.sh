#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A stream becomes a pool of a volume group: LVM knows all of it as before, works
# on with it, and finds nothing of one that failed.
# kernel: 6.1
# timeout: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lvm.bash"
needs lvm thin_check thin_dump thinexport jq
needs_target thin-pool linear

# A pool as users have it: an id missing, a snapshot read-only and skipped, a snapshot
# of that, tags; its stream; and a group that it can go to.
begin() {
	! vgs new >/dev/null 2>&1 || return 0
	group v-g "$(disk 120)"
	lvm_pool v-g/my-pool 64 --addtag pool.tag
	lvchange -q --errorwhenfull y v-g/my-pool
	lvm_volume v-g/my-pool web 32 --addtag a --addtag b=c/d
	lvm_volume v-g/my-pool gone 16
	lvm_volume v-g/my-pool db-1 16
	fill /dev/v-g/web 1 0 8192
	fill /dev/v-g/db-1 2 0 4096
	lvm_snapshot v-g/web web-snap
	lvchange -q -pr v-g/web-snap
	fill /dev/v-g/web 3 4096 4096
	lvm_snapshot v-g/web-snap snap-snap
	lvremove -q -y v-g/gone
	lvchange -q -an v-g/db-1
	thinexport send v-g/my-pool >"$TE_TMP/stream"
	fields v-g >"$TE_TMP/source"
	text v-g >"$TE_TMP/source-text"
	te_drop_group v-g
	group new "$(disk 120)" "$(disk 20)"
	lvcreate -q -y -Wn -L 8M -n thick new
	everything >"$TE_TMP/before"
}

# What must be the same on both sides.
fields() { # fields GROUP
	lvs --noheadings --nosuffix --units s --binary --separator '|' \
		--config 'report/time_format="%s"' -S 'segtype=~^thin' -O lv_name -o \
		lv_name,lv_size,lv_tags,origin,thin_id,transaction_id,lv_skip_activation,chunk_size,discards,zero,lv_when_full,lv_time,lv_host,lv_metadata_size "$1" |
		sed 's/^ *//'
}

# LVM's own text of the pool, its parts, spare and volumes, but for uuids, times of the
# parts, and where they lie.
text() { # text GROUP
	vgcfgbackup -q -f "$TE_TMP/text" "$1" >/dev/null
	sed -n '/^\tlogical_volumes {/,/^\t}/p' "$TE_TMP/text" | awk '
		/^\t\t[^\t}]/ { name = $1 }
		/^\t\t\t\t\t*"pv[0-9]*", / || /^\t\t\tid = / || /#/ && /stripe_count/ { next }
		/^\t}/ { next }
		/creation_/ && name ~ /_/ { next }
		name != "thick" && NF { sub(/[ \t]*#.*/, ""); print name ": " $0 }' | sort
}

# All of the group new, and all devices.
everything() {
	lvs -a --noheadings -o lv_name,lv_uuid,lv_attr,lv_size,seg_pe_ranges new
	vgs --noheadings -o vg_free_count new
	dmsetup ls | cut -f1 | sort
	find /run/thinexport /var/lib/thinexport -type f -name '*group*' 2>/dev/null
}

nothing_has_changed() {
	everything >"$TE_TMP/now"
	diff "$TE_TMP/before" "$TE_TMP/now"
	vgck new
}

# Its volumes hold what they held.
holds_all() {
	lvchange -q -ay -K new/web-snap new/snap-snap
	holds /dev/new/web 1 0 4096
	holds /dev/new/web 3 4096 4096
	holds /dev/new/db-1 2 0 4096
	holds /dev/new/web-snap 1 0 8192
	holds /dev/new/snap-snap 1 0 8192
	lvchange -q -an new/web-snap new/snap-snap
}

metadata_is_clean() {
	vgchange -q -an new
	lvchange -q -ay -y new/my-pool_tmeta
	thin_check /dev/new/my-pool_tmeta
	lvchange -q -an new/my-pool_tmeta
	vgchange -q -ay new
}

a_pool_arrives_as_lvm_knew_it() {
	begin
	thinexport receive new/my-pool <"$TE_TMP/stream"
	lvs -a new
	fields new >"$TE_TMP/target"
	diff "$TE_TMP/source" "$TE_TMP/target"
	text new >"$TE_TMP/target-text"
	diff "$TE_TMP/source-text" "$TE_TMP/target-text"
	# Active, but for what skips it; nothing of the making is left.
	[ -e /dev/new/web ]
	[ ! -e /dev/new/web-snap ]
	fails grep thinexport <(lvs -a --noheadings -o lv_name,lv_tags new)
	[ -z "$(find /var/lib/thinexport -name '*group*')" ]
	vgck new
	holds_all
	metadata_is_clean
	holds_all
}

lvm_works_on_with_it() {
	lvm_snapshot new/web later
	lvm_volume new/my-pool fresh 8
	fill /dev/new/web 4 0 4096
	lvchange -q -ay -K new/later
	holds /dev/new/later 1 0 4096
	lvremove -q -y new/db-1
	lvextend -q -L +8M new/my-pool
	lvextend -q -L +8M new/web
	holds /dev/new/web 4 0 4096
	vgck new
	metadata_is_clean
	# A second pool takes the spare that is there.
	thinexport receive --size 24M --rename web=w --volume web -i "$TE_TMP/stream" new/other
	holds /dev/new/w 1 0 4096
	[ "$(lvs -a --noheadings new | grep -c pmspare)" -eq 1 ]
	# A third one, with more metadata, brings a larger one.
	lvremove -q -y new/other
	thinexport receive --size 20M --metadata-size 8M --rename db-1=d --volume db-1 \
		-i "$TE_TMP/stream" new/other
	[ "$(lv_field new/lvol0_pmspare lv_size)" -eq 16384 ]
	[ "$(lvs -a --noheadings new | grep -c pmspare)" -eq 1 ]
	vgck new
	lvremove -q -y new/my-pool new/other
	nothing_has_changed
}

refused() { # refused PATTERN OPTION...
	local pattern=$1
	shift
	fails_with "$pattern" thinexport receive -i "$TE_TMP/stream" "$@"
}

long() { head -c "$1" /dev/zero | tr '\0' x; }	# a name of so many bytes

what_cannot_be_received_changes_nothing() {
	begin
	head -c 3000000 "$TE_TMP/stream" >"$TE_TMP/cut"
	fails_with 'ends' thinexport receive -i "$TE_TMP/cut" new/my-pool
	nothing_has_changed
	refused 'need .* more than the .* that are free' --size 1G new/my-pool
	refused 'chunks of 64 KiB' --chunk-size 128K new/my-pool
	refused 'new/thick is there already' new/thick
	refused 'there is a volume thick already' --rename web=thick new/my-pool
	refused 'there is a volume my-pool already' --rename web=my-pool new/my-pool
	refused "'a_tdata' cannot be the name" --rename web=a_tdata new/my-pool
	refused "cannot be the name" --rename web="$(long 126)" new/my-pool
	refused 'it is too long' new/"$(long 110)"
	refused 'new/my-pool is too small' --size 4M new/my-pool
	refused 'Volume group "nope" not found' nope/my-pool
	vgs --noheadings -o vg_seqno new >"$TE_TMP/seqno"
	thinexport receive -n -i "$TE_TMP/stream" new/my-pool
	vgs --noheadings -o vg_seqno new | diff "$TE_TMP/seqno" -
	nothing_has_changed
}

# held SIGNAL: a receive that waits for the rest of its stream gets the signal.
held() {
	rm -f "$TE_TMP/fifo"
	mkfifo "$TE_TMP/fifo"
	exec 7<>"$TE_TMP/fifo"
	env --default-signal=INT thinexport receive new/my-pool <"$TE_TMP/fifo" 2>"$TE_TMP/receive" 7>&- &
	head -c 7000000 "$TE_TMP/stream" >&7
	wait_for 20 test -e /dev/new/my-pool.thinexport-spare || {
		cat "$TE_TMP/receive"
		return 1
	}
	fails_with 'another thinexport is at work on this pool' thinexport cleanup new/my-pool
	kill -"$1" $!
	wait $! || true
	exec 7>&-
}

an_interrupted_one_leaves_nothing() {
	begin
	held INT
	grep 'interrupted: nothing was received into new/my-pool' "$TE_TMP/receive"
	nothing_has_changed
}

a_killed_one_is_cleaned_up() {
	begin
	held KILL
	refused 'interrupted receive has left new/my-pool.thinexport-data: `thinexport cleanup' \
		new/my-pool
	thinexport cleanup -n >"$TE_TMP/said"
	cat "$TE_TMP/said"
	[ "$(grep -c '^would remove new/my-pool.thinexport-' "$TE_TMP/said")" -eq 3 ]
	thinexport cleanup other/my-pool
	[ "$(lvs --noheadings new | wc -l)" -eq 4 ]
	thinexport cleanup new/my-pool
	nothing_has_changed
	thinexport cleanup 2>&1 | grep 'nothing to clean up'
}

broken() { # broken WHEN VERB WORD: a receive in which LVM is
	with_broken_lvm "$@" \
		thinexport receive -i "$TE_TMP/stream" --volume db-1 --size 16M new/my-pool
}

fails_at() { # fails_at PATTERN WHEN VERB WORD
	local pattern=$1
	shift
	fails_with "$pattern" broken "$@"
	nothing_has_changed
}

wherever_lvm_fails_nothing_is_left() {
	begin
	broken_lvm
	fails_at 'cannot make a volume for it: `lvm lvcreate` says: broken' after lvcreate spare
	fails_at 'cannot make it of its parts: `lvm vgcfgrestore` says: broken' after vgcfgrestore ''
	fails_at 'cannot activate it: `lvm lvchange` says: broken' after lvchange -ay
	fails_at 'somebody changes the volume group although it is locked' changed vgcfgbackup ''
	vgs --noheadings -o vg_tags new | grep more
	vgchange -q --deltag more new
}

# LVM's command goes on when its caller is dead, with the lock that keeps others out.
wherever_it_is_killed_cleanup_removes_it() {
	local at
	begin
	broken_lvm
	for at in 'lvcreate spare' 'vgcfgbackup ' 'vgcfgrestore ' 'lvchange -ay'; do
		echo "killed at $at"
		broken killed "${at% *}" "${at#* }" && return 1
		wait_for 20 thinexport cleanup new/my-pool
		nothing_has_changed
	done
}

# Its volumes have neither names nor an LVM that knew them; their ids begin at 0.
a_pool_without_lvm_gets_names() {
	local metadata data
	begin
	metadata=$(disk 4)
	data=$(disk 32)
	pool p "$metadata" "$data"
	volume p 0 16 v0
	fill /dev/mapper/v0 1 0 4096
	snapshot p 7 0
	fill /dev/mapper/v0 2 0 1024
	deactivate v0 p
	thinexport send --metadata "$metadata" --data "$data" --size 0=32768 --size 7=32768 \
		>"$TE_TMP/raw"
	fails_with 'volumes . and . would both be called thin7' \
		thinexport receive -i "$TE_TMP/raw" --rename 0=thin7 new/raw
	thinexport receive -i "$TE_TMP/raw" --rename 7=old new/raw
	lvs -a new
	holds /dev/new/thin0 2 0 1024
	holds /dev/new/thin0 1 1024 3072
	holds /dev/new/old 1 0 4096
	# LVM would take one whose transaction id is 0 for a pool without volumes.
	[ "$(lv_field new/raw transaction_id)" = 1 ]
	lvm_snapshot new/thin0 later
	lvm_volume new/raw fresh 8
	[ "$(lv_field new/fresh thin_id)" -gt 7 ]
	vgck new
	lvremove -q -y new/raw
}

run_tests \
	a_pool_arrives_as_lvm_knew_it \
	lvm_works_on_with_it \
	what_cannot_be_received_changes_nothing \
	an_interrupted_one_leaves_nothing \
	a_killed_one_is_cleaned_up \
	wherever_lvm_fails_nothing_is_left \
	wherever_it_is_killed_cleanup_removes_it \
	a_pool_without_lvm_gets_names
