#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Groups that a pool cannot be received into, and what LVM's settings must not change:
# refused in words, and LVM's text of the group is what it was.
# kernel: 6.12
# timeout: 400
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lvm.bash"
needs lvm thinexport busybox
needs_target thin-pool linear

# Settings of our own: those of the machine, and profiles.
export LVM_SYSTEM_DIR=$TE_TMP/lvm
settings() { # settings [LINE]: one more
	mkdir -p "$LVM_SYSTEM_DIR/profile"
	{ cat /etc/lvm/lvm.conf; echo "${1:-}"; } >"$LVM_SYSTEM_DIR/lvm.conf"
}

# The stream of a pool with a profile, and a group that it can go to.
begin() {
	settings
	! vgs new >/dev/null 2>&1 || return 0
	echo 'activation { thin_pool_autoextend_threshold=70 }' >"$LVM_SYSTEM_DIR/profile/careful.profile"
	group src "$(disk 64)"
	lvm_pool src/p 16
	lvchange -q --metadataprofile careful src/p
	lvm_volume src/p web 8
	fill /dev/src/web 1 0 8192
	thinexport send --codec none src/p >"$TE_TMP/stream"
	te_drop_group src
	group new "$(disk 64)"
	lvcreate -q -y -Wn -L 4M -n thick new
	text >"$TE_TMP/before"
}

# All but when and by what it was written.
text() {
	vgcfgbackup -q -f "$TE_TMP/text" new >/dev/null
	sed '/^#/d; /^description = /d; /^creation_time = /d' "$TE_TMP/text"
}
nothing_has_changed() {
	text | diff "$TE_TMP/before" -
}
nothing_is_left() {
	text | sed '/seqno/d' | diff <(sed '/seqno/d' "$TE_TMP/before") -
	[ -z "$(find /var/lib/thinexport -name '*group*')" ]
}

refused() { # refused PATTERN [COMMAND...]
	local pattern=$1
	shift
	fails_with "$pattern" "$@" thinexport receive -i "$TE_TMP/stream" new/p
}

a_group_meant_for_another_host_is_not_touched() {
	begin
	lvchange -q -an new/thick
	vgexport -q new
	refused 'volume group new is exported.*`vgimport new` takes it back'
	vgimport -q new
	vgchange -q -y --systemid elsewhere new
	refused 'system ID elsewhere'
	# Back, by who says that he is that host.
	settings 'global { system_id_source="lvmlocal" } local { system_id="elsewhere" }'
	vgchange -q -y --systemid "" new
	settings
	lvchange -q -ay new/thick
	nothing_is_left
	text >"$TE_TMP/before"
}

a_group_with_a_pvmove_under_way_is_left_to_it() {
	local mover second
	begin
	second=$(disk 64)
	vgextend -q new "$second"
	# It looks for the end of its move for the first time in an hour.
	lvm pvmove -q -i +3600 -n thick "$(lvs --noheadings -o devices new/thick | sed 's/(.*//; s/ //g')" &
	mover=$!
	later kill $mover
	wait_for 20 has_pvmove
	text >"$TE_TMP/moving"
	refused 'new/p: a pvmove is under way in volume group new: wait for its end, or `pvmove --abort`'
	text | diff "$TE_TMP/moving" -
	kill $mover
	wait $mover || true
	lvm pvmove -q --abort
	thinexport receive -i "$TE_TMP/stream" new/p
	holds /dev/new/web 1 0 8192
	lvremove -q -y new/p
	lvm vgreduce -q new "$second"
	nothing_is_left
	text >"$TE_TMP/before"
}
has_pvmove() { lvs -a --noheadings -o lv_name new | grep -q pvmove; }

# old.sh VERB: an lvm that does not know an option of that verb.
without_a_fit_lvm2_that_is_told() {
	begin
	mkdir "$TE_TMP/old"
	cat >"$TE_TMP/old/lvm" <<-END
		#!/bin/bash
		[ "\$1" = vgs ] || exec $(type -P lvm) "\$@"
		echo "lvm: unrecognized option '--reportformat'" >&2
		exit 3
	END
	chmod +x "$TE_TMP/old/lvm"
	refused 'lvm2 is too old to be asked, 2.03 is needed' env PATH="$TE_TMP/old:$PATH"
	cp "$(type -P thinexport)" "$TE_TMP/thinexport"
	fails_with 'there is no program lvm: install lvm2' busybox unshare -m busybox sh -c "
		for folder in /usr/sbin /sbin; do busybox mount -t tmpfs none \$folder; done
		'$TE_TMP/thinexport' receive -i '$TE_TMP/stream' new/p"
	settings 'global { locking_dir="/run/elsewhere" }'
	refused "LVM's locks are not in /run/lock/lvm"
	settings 'global { use_lvmlockd=1 }'
	refused "or are lvmlockd's"
	settings
	nothing_has_changed
}

a_profile_travels_and_one_that_is_not_here_is_told() {
	begin
	thinexport receive -i "$TE_TMP/stream" new/p
	[ "$(lv_field new/p lv_profile)" = careful ]
	lvremove -q -y new/p
	mv "$LVM_SYSTEM_DIR/profile/careful.profile" "$TE_TMP/"
	thinexport receive -i "$TE_TMP/stream" new/p 2>"$TE_TMP/said"
	grep 'warning: new/p: it is complete, but has not the profile careful' "$TE_TMP/said"
	[ -z "$(lv_field new/p lv_profile)" ]
	holds /dev/new/web 1 0 8192
	lvremove -q -y new/p
	mv "$TE_TMP/careful.profile" "$LVM_SYSTEM_DIR/profile/"
	nothing_is_left
}

# Starts a receive that waits for the rest of its stream.
held() {
	rm -f "$TE_TMP/fifo"
	mkfifo "$TE_TMP/fifo"
	exec 7<>"$TE_TMP/fifo"
	env --default-signal=INT thinexport receive new/p <"$TE_TMP/fifo" 2>"$TE_TMP/receive" 7>&- &
	receiver=$!
	head -c 7000000 "$TE_TMP/stream" >&7
	wait_for 100 test -e /dev/new/p.thinexport-spare || { cat "$TE_TMP/receive"; return 1; }
}

a_group_that_is_locked_when_all_is_to_be_undone_is_not_waited_for_without_end() {
	local receiver started status=0
	begin
	held
	(flock 9 && exec sleep 100) 9>>/run/lock/lvm/V_new &
	wait_for 10 fails flock -n /run/lock/lvm/V_new true
	started=$(date +%s)
	kill -INT $receiver
	wait $receiver || status=$?
	exec 7>&-
	cat "$TE_TMP/receive"
	[ $status -eq 1 ]
	[ $(($(date +%s) - started)) -lt $((60 * ${TE_SLOW:-1})) ]
	grep 'new/p: an LVM command has kept the volume group new locked for 30 s' "$TE_TMP/receive"
	grep '`thinexport cleanup new/p` removes what is left of it' "$TE_TMP/receive"
	kill %+
	thinexport cleanup new/p
	nothing_is_left
}

# However lvm.conf says that reports look, and whoever has tags like ours.
cleanup_finds_what_is_left_whatever_the_settings() {
	local receiver
	begin
	held
	kill -KILL $receiver
	wait $receiver || true
	exec 7>&-
	settings 'report { output_format="json" headings=0 separator="+" binary_values_as_numeric=1 }'
	thinexport cleanup -n new/p | tee "$TE_TMP/would"
	[ "$(grep -c '^would remove new/p.thinexport-' "$TE_TMP/would")" -eq 3 ]
	thinexport cleanup new/p
	settings
	nothing_is_left
}

# It was killed when it had but its tag to take away, and somebody works with it now.
cleanup_leaves_a_pool_that_is_in_use() {
	begin
	thinexport receive -i "$TE_TMP/stream" new/p
	lvchange -q --addtag thinexport.receiving new/p
	exec 7</dev/new/web
	fails_with 'new/p was not finished, but its volume new/web is in use.*`lvchange --deltag thinexport.receiving new/p` keeps it' \
		thinexport cleanup new/p
	holds /dev/new/web 1 0 8192
	exec 7<&-
	thinexport cleanup -n new/p | grep '^would remove new/p$'
	thinexport cleanup new/p
	nothing_is_left
}

run_tests \
	a_group_meant_for_another_host_is_not_touched \
	a_group_with_a_pvmove_under_way_is_left_to_it \
	without_a_fit_lvm2_that_is_told \
	a_profile_travels_and_one_that_is_not_here_is_told \
	a_group_that_is_locked_when_all_is_to_be_undone_is_not_waited_for_without_end \
	cleanup_finds_what_is_left_whatever_the_settings \
	cleanup_leaves_a_pool_that_is_in_use
