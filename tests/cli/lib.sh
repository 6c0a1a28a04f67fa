# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# What the scripts of this folder share.  A script defines functions whose names
# are sentences, and calls
#
#	. "${0%/*}/lib.sh"
#	run_tests first_sentence second_sentence ...
#
# Each function runs in a shell of its own under `set -e`, in $work, which is new
# for the script and removed at its end.  What it printed is shown when it fails.

: "${BUILD:=build}"
te=$(realpath "$BUILD/thinexport") || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/thinexport-cli.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
PATH=$PATH:/usr/sbin:/sbin
cd "$work" || exit 1

# needs COMMAND...: skips the whole script when one is not there.
needs() {
	for need in "$@"; do
		command -v "$need" >/dev/null && continue
		echo "1..0 # SKIP no $need"
		exit 4
	done
}

run_tests() {
	number=0
	failed=0
	echo "KTAP version 1"
	echo "1..$#"
	for name in "$@"; do
		number=$((number + 1))
		# Not in a condition: there `set -e` would mean nothing.
		(
			set -e
			"$name"
		) >"$work/.said" 2>&1 </dev/null
		status=$?
		case $status in
		0) echo "ok $number $name" ;;
		4) echo "ok $number $name # SKIP $(tail -n 1 "$work/.said")" ;;
		*)
			failed=1
			sed 's/^/# /' "$work/.said"
			echo "not ok $number $name"
			;;
		esac
	done
	exit $failed
}

# skip WHY: leaves the test that calls it.
skip() {
	echo "$*"
	exit 4
}

# fails STATUS WORDS COMMAND...: the command ends with that status and says one
# error, in which the words stand.  What it says goes to the file said.
fails() {
	wanted=$1
	words=$2
	shift 2
	got=0
	"$@" 2>said || got=$?
	cat said
	if [ "$got" -ne "$wanted" ]; then
		echo "exit status $got, not $wanted: $*"
		return 1
	fi
	if ! grep -qF -- "$words" said; then
		echo "does not say '$words': $*"
		return 1
	fi
	if [ "$wanted" -eq 1 ] && [ "$(grep -c '^thinexport: error: ' said)" -ne 1 ]; then
		echo "does not say one error: $*"
		return 1
	fi
}

# not COMMAND...: it fails.  (`set -e` does not mind a failing `! command`.)
not() {
	if "$@"; then
		echo "should have failed: $*"
		return 1
	fi
}

# has TEXT FILE: some line of the file holds the text.
has() {
	grep -qF -- "$1" "$2" && return 0
	echo "no '$1' in $2:"
	cat "$2"
	return 1
}

# is_ended_by_a_signal PID [SIGNAL]: in the midst of what it does, with status 1.
is_ended_by_a_signal() {
	# On a busy machine it takes long to start.
	until catches_term "$1"; do sleep 0.1; done
	sleep 0.3
	kill -s "${2:-TERM}" "$1"
	got=0
	wait "$1" || got=$?
	[ $got -eq 1 ] || { echo "status $got"; return 1; }
}
catches_term() { # catches_term PID
	caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
	[ $((0x$caught & 0x4000)) -ne 0 ]
}

# narrow FILE: no line is longer than 80 columns.
narrow() {
	awk 'length > 80 { print "too long: " $0; bad = 1 } END { exit bad }' "$1"
}

# zero_pool NAME BLOCKS: NAME.meta and NAME.data, one volume of that many blocks of
# 64 KiB, all of them zeros in a hole.  It takes no room, but seconds to send.
zero_pool() {
	cat >"$1.xml" <<-END
	<superblock uuid="" time="1" transaction="1" flags="0" version="2" data_block_size="128" nr_data_blocks="$2">
	 <device dev_id="1" mapped_blocks="$2" transaction="0" creation_time="0" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="0" length="$2" time="0"/>
	 </device>
	</superblock>
	END
	truncate -s 4M "$1.meta"
	thin_restore -q -i "$1.xml" -o "$1.meta" >/dev/null
	truncate -s $(($2 * 65536)) "$1.data"
}

# data_of FILE BLOCKS: blocks of 64 KiB with differing contents; each seventh is zero.
data_of() {
	head -c $(($2 * 65536)) /dev/urandom >"$1"
	block=3
	while [ $block -lt "$2" ]; do
		head -c 65536 /dev/zero |
			dd of="$1" bs=65536 seek=$block conv=notrunc status=none
		block=$((block + 7))
	done
}

# pool_of NAME XML BLOCKS: NAME.meta from what thin_restore makes of the XML, and
# NAME.data with so many blocks of 64 KiB.
pool_of() {
	truncate -s 4M "$1.meta"
	thin_restore -q -i "$2" -o "$1.meta" >/dev/null
	data_of "$1.data" "$3"
}

# A pool of 200 blocks with an origin, two snapshots of different ages, a volume
# whose blocks lie scattered, one that was never written.
example_xml() {
	cat <<-'END'
	<superblock uuid="" time="3" transaction="9" flags="0" version="2" data_block_size="128" nr_data_blocks="200">
	 <device dev_id="1" mapped_blocks="60" transaction="0" creation_time="0" snap_time="3">
	  <range_mapping origin_begin="0" data_begin="0" length="40" time="0"/>
	  <range_mapping origin_begin="50" data_begin="120" length="19" time="3"/>
	  <single_mapping origin_block="100" data_block="139" time="3"/>
	 </device>
	 <device dev_id="2" mapped_blocks="50" transaction="1" creation_time="1" snap_time="1">
	  <range_mapping origin_begin="0" data_begin="0" length="50" time="0"/>
	 </device>
	 <device dev_id="7" mapped_blocks="46" transaction="3" creation_time="3" snap_time="3">
	  <range_mapping origin_begin="0" data_begin="0" length="40" time="0"/>
	  <range_mapping origin_begin="50" data_begin="150" length="6" time="2"/>
	 </device>
	 <device dev_id="9" mapped_blocks="4" transaction="4" creation_time="0" snap_time="0">
	  <single_mapping origin_block="3" data_block="199" time="0"/>
	  <single_mapping origin_block="4" data_block="60" time="0"/>
	  <single_mapping origin_block="9" data_block="61" time="0"/>
	  <single_mapping origin_block="4000" data_block="170" time="0"/>
	 </device>
	 <device dev_id="20" mapped_blocks="0" transaction="5" creation_time="3" snap_time="3">
	 </device>
	</superblock>
	END
}

# example_pool NAME: that pool as NAME.meta and NAME.data.
example_pool() {
	example_xml >"$1.xml"
	pool_of "$1" "$1.xml" 200
}

# send_pool NAME STREAM OPTION...: a pool's images into a file; as they are, unless a
# codec is given, since tests cut and change streams.
send_pool() {
	from=$1
	to=$2
	shift 2
	"$te" send --metadata "$from.meta" --data "$from.data" --codec none "$@" >"$to"
}

# new_target NAME BLOCKS: fresh image files NAME.meta of 4 MiB and NAME.data of so
# many blocks of 64 KiB, holding nothing.
new_target() {
	rm -f "$1.meta" "$1.data"
	truncate -s 4M "$1.meta"
	truncate -s $(($2 * 65536)) "$1.data"
}

# receive_pool NAME OPTION...: a stream from standard input, or --input, into a pool's images.
receive_pool() {
	to=$1
	shift
	"$te" receive --metadata "$to.meta" --data "$to.data" "$@"
}

# mappings_of NAME ID: "virtual block, pool block, count" of each run of a volume.
mappings_of() {
	thin_dump "$1.meta" | awk -F'"' -v id="$2" '
		/<device /	   { mine = $2 == id }
		/<range_mapping /  { if (mine) print $2, $4, $6 }
		/<single_mapping / { if (mine) print $2, $4, 1 }'
}

ids_of() {
	thin_dump "$1.meta" | awk -F'"' '/<device / { print $2 }'
}

# volume_of NAME ID FILE: what a reader of the volume would see, as far as it is
# mapped.  $block_bytes: of a data block, if not 64 KiB.
volume_of() {
	rm -f "$3"
	: >"$3"
	mappings_of "$1" "$2" | while read -r virtual pool count; do
		dd if="$1.data" of="$3" bs="${block_bytes:-65536}" skip="$pool" seek="$virtual" count="$count" \
			conv=notrunc status=none
	done
}

# same_pool A B: both check clean, and have the same volumes with the same content,
# the same blocks mapped in each, and as much shared and exclusive.
same_pool() {
	for one in "$1" "$2"; do
		thin_check -q "$one.meta"
		thin_dump "$one.meta" | grep '<device ' | sed 's/ snap_time.*//' >"$one.devices"
		thin_ls --no-headers --format DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS \
			"$one.meta" >"$one.ls"
	done
	diff "$1.devices" "$2.devices"
	diff "$1.ls" "$2.ls"
	for id in $(ids_of "$1"); do
		mapped_blocks_of "$1" "$id" >one
		mapped_blocks_of "$2" "$id" >other
		cmp one other
		volume_of "$1" "$id" one
		volume_of "$2" "$id" other
		cmp one other
	done
}

mapped_blocks_of() {
	mappings_of "$1" "$2" | awk '{ for (i = 0; i < $3; i++) print $1 + i }'
}

# no_pool NAME: nothing there that anyone would take for a pool's metadata.
no_pool() {
	if thin_check -q "$1.meta" 2>/dev/null; then
		echo "$1.meta holds a pool"
		return 1
	fi
	if [ "$(od -An -tu8 -j32 -N8 "$1.meta" | tr -d ' ')" = 27022010 ]; then
		echo "$1.meta has a superblock"
		return 1
	fi
	blkid -p "$1.meta" || return 0
	echo "blkid finds something on $1.meta"
	return 1
}
