#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A receive that was interrupted goes on where it was, and its pool comes out the same.
reader=$(realpath "${0%/*}/../vectors/read-stream")
. "${0%/*}/lib.sh"
needs thin_restore thin_check thin_dump jq python3

id=000102030405060708090a0b0c0d0e0f

# A pool with a history: snapshots of snapshots, changed, discarded; some data in it.
"${te%/*}/thin-generate" --list --block-sectors 128 --mappings 700 --volumes 2 --snapshots 5 \
	--change 6 --run 3 --scatter 30 --discards 60 --deletes 0 --seed 28 p.meta >listed || exit 1
blocks=$(thin_dump p.meta | sed -n 's/.*nr_data_blocks="\([0-9]*\)".*/\1/p')
truncate -s $((blocks * 65536)) p.data
head -c 9000000 /dev/urandom | dd of=p.data conv=notrunc status=none
send_pool p whole --stream-id $id
size=$(stat -c %s whole)
new_target whole $((blocks + 8))
receive_pool whole -i whole --checkpoint none

random_below() {
	od -An -N4 -tu4 /dev/urandom | awk -v n="$1" '{ print $1 % n }'
}

# token_of NAME: of what its receive has kept; fails when it has kept nothing.
token_of() {
	"$te" receive --status --metadata "$1.meta" 2>status
}

# continue_from NAME OPTION...: what is lacking, on standard output.
continue_from() {
	token=$(token_of "$1")
	shift
	"$te" send --metadata p.meta --data p.data --codec none --resume "$token" "$@"
}

fresh() {
	new_target q $((blocks + 8))
}

is_the_same() {
	thin_check -q q.meta
	cmp q.meta whole.meta
	cmp q.data whole.data
	not token_of q
}

# interrupted BYTES: the stream breaks off there.
interrupted() {
	head -c "$1" whole >begun
	not receive_pool q --checkpoint 1M <begun
	no_pool q
}

# killed BYTES: the receiver is, when it has read that many.
killed() {
	mkfifo pipe
	receive_pool q --checkpoint 1M --threads 1 <pipe &
	pid=$!
	(
		head -c "$1" whole
		kill -9 $pid
	) >pipe || :
	wait $pid || :
	rm pipe
	no_pool q
}

goes_on() {
	continue_from q >rest
	receive_pool q -i rest
	is_the_same
}

a_receive_with_checkpoints_leaves_the_same_pool() {
	fresh
	receive_pool q -i whole --checkpoint 1M
	is_the_same
}

a_stream_that_breaks_off_is_gone_on_with() {
	tried=0
	for _ in $(seq 25); do
		fresh
		interrupted "$(random_below "$size")"
		token_of q || continue
		goes_on
		tried=$((tried + 1))
	done
	[ $tried -ge 10 ]
}

a_killed_receiver_goes_on() {
	tried=0
	for _ in $(seq 25); do
		fresh
		killed "$(random_below "$size")"
		token_of q || continue
		goes_on
		tried=$((tried + 1))
	done
	[ $tried -ge 10 ]
}

what_breaks_off_is_kept_to_its_last_frame() {
	fresh
	head -c $((size * 2 / 3)) whole >begun
	not receive_pool q --checkpoint 4M <begun
	whole_frames=$("$te" dump --json whole |
		jq -s --argjson bytes $((size * 2 / 3)) \
			'[.[] | select(.frame != null and .byte + 48 + .stored_bytes <= $bytes)] | length')
	[ "$(continue_from q | "$te" dump --json - 2>/dev/null | jq -s '.[0].sequence')" -eq \
		"$whole_frames" ]
}

it_may_be_interrupted_again_and_again() {
	fresh
	interrupted $((size / 3))
	for _ in 1 2 3 4; do
		continue_from q >rest
		head -c "$(random_below "$(stat -c %s rest)")" rest >some
		not receive_pool q --checkpoint 256K <some
		no_pool q
	done
	goes_on
}

no_more_than_a_window_is_sent_again() {
	fresh
	killed $((size / 2))
	"$te" receive --status --json --metadata q.meta >told
	jq -e '.received_bytes > 0 and .received_bytes < .total_bytes' told
	continue_from q >rest
	[ $(($(stat -c %s rest) + size / 2)) -le $((size + 6 * 1024 * 1024)) ]
	receive_pool q -i rest
	is_the_same
}

what_arrived_and_the_rest_are_a_stream() {
	fresh
	interrupted $((size * 2 / 3))
	continue_from q >rest
	sequence=$("$te" dump --json rest 2>/dev/null | jq -s '.[0].sequence')
	end=$("$te" dump --json whole | jq --argjson n "$sequence" 'select(.frame == $n) | .byte')
	(head -c "$end" whole && tail -c +$((48 + 128 + 1)) rest) | cmp - whole
	# And so says a reader that is not ours to blame.
	"$reader" whole >list
	"$reader" whole "$end" rest | diff list -
	not "$reader" whole $((end - 1)) rest
}

chosen_and_renamed_volumes_stay_so() {
	first=$(sed -n '1s/ .*//p' listed)
	fourth=$(sed -n '4s/ .*//p' listed)
	for from in pipe file; do
		new_target r $((blocks + 8))
		receive_pool r -i whole --volume "$first" --volume "$fourth" --rename "$fourth=4711"
		new_target s $((blocks + 8))
		if [ $from = pipe ]; then
			head -c $((size - 100)) whole | not receive_pool s --checkpoint 512K \
				--volume "$first" --volume "$fourth" --rename "$fourth=4711"
		else
			# So small a limit that it ends on the way.
			(
				ulimit -f 4096
				not receive_pool s -i whole --checkpoint 512K \
					--volume "$first" --volume "$fourth" --rename "$fourth=4711"
			)
		fi
		token_of s || continue
		continue_from s >rest
		fails 1 "begun with other --volume and --rename" \
			receive_pool s -i rest --volume "$first"
		receive_pool s -i rest
		[ "$(ids_of s)" = "$(ids_of r)" ]
		same_pool r s
	done
}

what_does_not_belong_is_refused_and_changes_nothing() {
	fresh
	interrupted $((size / 2))
	continue_from q >rest
	sha256sum q.meta q.data >before
	fails 1 "holds an interrupted receive of stream $id" receive_pool q -i whole
	send_pool p other
	fails 1 "--force" receive_pool q -i other
	fails 1 "holds an interrupted receive" receive_pool q -n -i whole
	# The right stream, but another place: what was kept before is gone on with.
	cp q.meta later.meta
	sha256sum --quiet -c before
	continue_from q >old
	head -c $((3 * 1024 * 1024)) old >some
	not receive_pool q --checkpoint 256K <some
	fails 1 "goes on at frame" receive_pool q -i old
	goes_on
	fails 1 "without its beginning" receive_pool q -i rest --force
	fresh
	fails 1 "without its beginning" receive_pool q -i rest
	fails 1 "holds no interrupted receive" token_of_loud q
	fresh
	interrupted $((size / 2))
	receive_pool q -i whole --force
	same_pool whole q
}

token_of_loud() {
	"$te" receive --status --metadata "$1.meta"
}

a_source_that_is_not_the_same_is_refused() {
	fresh
	interrupted $((size / 2))
	token=$(token_of q)
	not_the_same="not what the interrupted stream was made of"
	fails 1 "$not_the_same" "$te" send --metadata p.meta --data p.data --resume "$token" \
		--volume "$(sed -n '1s/ .*//p' listed)"
	example_pool other
	fails 1 "$not_the_same" "$te" send --metadata other.meta --data other.data --resume "$token"
	for bad in "" te1- "${token}A" "${token%?}" "te2-${token#te1-}" "$(echo "$token" | tr A B)"; do
		fails 1 "--resume:" "$te" send --metadata p.meta --data p.data --resume "$bad"
	done
}

a_damaged_place_is_refused() {
	fresh
	interrupted $((size / 2))
	continue_from q >rest
	cp q.meta good.meta
	last=$(($(stat -c %s q.meta) / 4096))
	# One slot is enough; both are not.
	hits=0
	for block in $(seq $((last - 90)) $((last - 1))); do
		cp good.meta q.meta
		printf x | dd of=q.meta bs=1 seek=$((block * 4096 + 40)) conv=notrunc status=none
		token_of q >/dev/null || hits=$((hits + 1))
	done
	[ $hits -ge 1 ]
	# A node that was lost.
	cp good.meta q.meta
	dd if=/dev/zero of=q.meta bs=4096 seek=1 count=1 conv=notrunc status=none
	fails 1 "does not read back as it was written" receive_pool q -i rest
	cp good.meta q.meta
	truncate -s 8M q.meta
	fails 1 "of another size" receive_pool q -i rest
	cp good.meta q.meta
	printf x | dd of=q.meta bs=1 seek=20 conv=notrunc status=none
	fails 1 "holds no interrupted receive" token_of_loud q
}

# With hardly more room than the pool takes, its blocks are the pool's in the end.
a_small_metadata_device_is_filled_all_the_same() {
	fresh
	used=$(receive_pool q -i whole --json | jq .metadata_bytes)
	for more in $(seq 1 5 61); do
		fresh
		truncate -s $((used + more * 4096)) q.meta
		receive_pool q -i whole --checkpoint 256K
		thin_check -q q.meta
		thin_dump q.meta | grep -v '^<superblock' >dumped
		thin_dump whole.meta | grep -v '^<superblock' | diff - dumped
		cmp q.data whole.data
	done
}

run_tests a_receive_with_checkpoints_leaves_the_same_pool \
	a_stream_that_breaks_off_is_gone_on_with \
	a_killed_receiver_goes_on \
	what_breaks_off_is_kept_to_its_last_frame \
	it_may_be_interrupted_again_and_again \
	no_more_than_a_window_is_sent_again \
	what_arrived_and_the_rest_are_a_stream \
	chosen_and_renamed_volumes_stay_so \
	what_does_not_belong_is_refused_and_changes_nothing \
	a_source_that_is_not_the_same_is_refused \
	a_damaged_place_is_refused \
	a_small_metadata_device_is_filled_all_the_same
