#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A view handed to others: what an NBD client gets of it holds the chosen volume
# and not a byte of the rest of the pool.
# timeout: 480
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/live.bash"
needs dmsetup thinexport nbdkit nbdcopy grep
needs_target thin-pool delay
needs_module

# 64 KiB of a secret of 16 letters, again and again, at each MiB of a volume.
plant() { # plant DEVICE SECRET
	local at size
	size=$(($(size_of "$1") / 2048))
	awk -v secret="$2" 'BEGIN { for (; n < 4096; n++) printf "%s", secret }' >"$TE_TMP/secret"
	for ((at = 0; at < size; at++)); do
		dd if="$TE_TMP/secret" of="$1" bs=64k count=1 seek=$((at * 16)) oflag=direct \
			conv=notrunc status=none
	done
}

finds() { grep -qaF "$2" "$1"; }	# finds FILE SECRET

an_nbd_client_finds_the_chosen_volume_and_no_other_s_secret() {
	local socket=$TE_TMP/socket image=$TE_TMP/image
	pool p "$(disk 16)" "$(disk 256)"
	volume p 0 32 mine
	volume p 1 32 theirs
	volume p 2 32 gone
	plant /dev/mapper/mine MINE-0123456789A
	plant /dev/mapper/theirs THEIRS-01234567A
	plant /dev/mapper/gone GONE-0123456789A
	# Overwritten, discarded, deleted: what lies in free blocks.
	plant /dev/mapper/theirs THEIRS-89ABCDEFB
	deactivate gone
	message p delete 2
	volume p 3 32 half
	plant /dev/mapper/half HALF-0123456789A
	blkdiscard -o $((8 << 20)) -l $((16 << 20)) /dev/mapper/half
	thinexport view open --volume mine p seen
	size=$(blockdev --getsize64 /dev/mapper/seen)
	nbdkit --exit-with-parent -f -r -U "$socket" file /dev/mapper/seen &
	wait_for 10 test -S "$socket"
	nbdcopy "nbd+unix:///?socket=$socket" "$image"
	kill $!
	wait $! || true
	[ "$(stat -c %s "$image")" -eq "$size" ]
	finds "$image" MINE-0123456789A
	for secret in THEIRS GONE- HALF-; do
		fails finds "$image" $secret
	done
	# They are in the pool: the search itself works.
	finds "$(pool_devices p | cut -d' ' -f2)" THEIRS-89ABCDEFB
	finds "$(pool_devices p | cut -d' ' -f2)" GONE-0123456789A
	# The image is a source, and holds just this volume.
	thinexport send -n --json "$image" >"$TE_TMP/list"
	grep -q '"id": *0' "$TE_TMP/list"
	fails grep -q '"id": *[1-9]' "$TE_TMP/list"
	thinexport view close seen
	nothing_is_left p
	deactivate mine theirs half p
}

a_view_is_exactly_as_long_as_what_it_holds() {
	small_pool p
	thinexport view open p seen
	[ "$(size_of /dev/mapper/seen)" -eq "$(dmsetup status seen | cut -d' ' -f4)" ]
	[ "$(held_root p)" = - ]
	fails dd if=/dev/zero of=/dev/mapper/seen bs=4k count=1 oflag=direct status=none
	thinexport view close seen
	nothing_is_left p
	deactivate v0 v1 p
}

a_view_outlives_its_origin_s_change_and_deletion() {
	small_pool p
	thinexport send --direct --stream-id 00112233445566778899aabbccddeeff \
		-o "$TE_TMP/before" p
	thinexport view open p seen
	cp /dev/mapper/seen "$TE_TMP/image"
	fill /dev/mapper/v0 7
	blkdiscard /dev/mapper/v1
	deactivate v0 v1
	message p delete 0
	message p delete 1
	volume p 4 64 other
	fill /dev/mapper/other 9
	cmp /dev/mapper/seen "$TE_TMP/image"
	thinexport view close seen
	nothing_is_left p
	thinexport verify "$TE_TMP/before"
	deactivate other p
}

two_views_of_a_pool_and_a_send_beside_them() {
	small_pool p
	thinexport view open --volume v0 p first
	thinexport view open p second
	thinexport send -n --json p >"$TE_TMP/list"
	# The views' snapshots are no volumes of the pool.
	cat "$TE_TMP/list"
	[ "$(grep -o '"id"' "$TE_TMP/list" | wc -l)" -eq 2 ]
	fails_with 'there is a device /dev/mapper/first already' thinexport view open p first
	thinexport cleanup p 2>&1 | grep 'the view first of p is open and stays'
	thinexport view close first
	fails_with 'there is no view first' thinexport view close first
	thinexport view close second
	nothing_is_left p
	deactivate v0 v1 p
}

only_views_are_closed_and_what_is_in_use_stays() {
	small_pool p
	fails_with 'there is no view v0' thinexport view close v0
	thinexport view open p seen
	exec 7</dev/mapper/seen
	fails_with '/dev/mapper/seen is in use' thinexport view close seen
	[ -n "$(pin 1)" ]
	exec 7<&-
	thinexport view close seen
	nothing_is_left p
	deactivate v0 v1 p
}

the_list_fits_80_columns() {
	local long=a-very-long-name-for-a-view-that-somebody-gave-it-in-good-humour
	small_pool p
	thinexport view open p $long
	thinexport view open --volume 1 p b
	thinexport view list | tee "$TE_TMP/list"
	[ "$(wc -l <"$TE_TMP/list")" -eq 3 ]
	fails grep -E '^.{81}' "$TE_TMP/list"
	thinexport view list --json >"$TE_TMP/json"
	grep -q "\"name\": *\"$long\"" "$TE_TMP/json"
	grep -q '"pool": *"p"' "$TE_TMP/json"
	thinexport view close $long
	thinexport view close b
	[ "$(thinexport view list | wc -l)" -eq 1 ]
	[ "$(thinexport view list --json | tr -d ' \n')" = '[]' ]
	nothing_is_left p
	deactivate v0 v1 p
}

a_view_whose_opening_was_killed_is_cleaned_up() {
	local opener
	slow_pool p 300 128
	volume p 0 16 v0
	thinexport view open p seen 2>"$TE_TMP/opener" &
	opener=$!
	# The metadata snapshot is yet to be released, and that be recorded: a slow commit.
	wait_for 60 view_stands
	kill -9 $opener
	wait $opener || true
	thinexport view list | grep 'seen .*interrupted'
	thinexport cleanup p
	nothing_is_left p
	deactivate v0 p p-slow
}
view_stands() { [ -e /dev/mapper/seen ]; }

run_tests \
	an_nbd_client_finds_the_chosen_volume_and_no_other_s_secret \
	a_view_is_exactly_as_long_as_what_it_holds \
	a_view_outlives_its_origin_s_change_and_deletion \
	two_views_of_a_pool_and_a_send_beside_them \
	only_views_are_closed_and_what_is_in_use_stays \
	the_list_fits_80_columns \
	a_view_whose_opening_was_killed_is_cleaned_up
