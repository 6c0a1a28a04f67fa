# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the scripts on live pools: a sender that is held in the midst of its
# stream, and what must be true of a pool afterwards.  Comes after lib.sh.

te_records=/var/lib/thinexport
if ls $te_records/*.record >/dev/null 2>&1; then
	skip_all "there are records in $te_records, of other runs"
fi
later te_forget_records
te_forget_records() { rm -f $te_records/*.record $te_records/*.catalog /run/thinexport/*.window; }

# Two volumes with contents: p, v0, v1.
small_pool() { # small_pool NAME
	pool "$1" "$(disk 16)" "$(disk 256)"
	volume "$1" 0 32 v0
	volume "$1" 1 32 v1
	fill /dev/mapper/v0 1
	fill /dev/mapper/v1 2 0 8192
}

# A pool whose metadata is written DELAY_MS late, so that the window is long.
slow_pool() { # slow_pool NAME DELAY_MS DATA_MIB
	local metadata data
	metadata=$(disk 16)
	data=$(disk "$3")
	dmsetup create "$1-slow" --table "0 $(size_of "$metadata") delay $metadata 0 0 $metadata 0 0"
	later dmsetup remove --retry "$1-slow"
	pool "$1" "/dev/mapper/$1-slow" "$data"
	# Only now: making the pool is no part of the test.
	dmsetup suspend --noflush "$1-slow"
	dmsetup reload "$1-slow" --table \
		"0 $(size_of "$metadata") delay $metadata 0 0 $metadata 0 $2"
	dmsetup resume "$1-slow"
}

# Starts `thinexport send ARGUMENT...` into a pipe and reads just its first frame:
# the moment is taken and the pins stand, until end_sender.  Without a codec, so that
# it does not all fit into the pipe.
hold_sender() {
	open_pipe
	# A shell has what it starts in the background ignore SIGINT.
	env --default-signal=INT thinexport send --codec none "$@" \
		>"$TE_TMP/pipe" 2>"$TE_TMP/sender" 8>&- &
	te_sender=$!
	timeout $((60 * ${TE_SLOW:-1})) head -c 96 <&8 >/dev/null || {
		cat "$TE_TMP/sender"
		return 1
	}
}

# The sender is told to stop; it must go, and undo its work.
end_sender() { # end_sender [SIGNAL]
	local status=0
	kill -"${1:-TERM}" $te_sender
	wait $te_sender || status=$?
	exec 8>&-
	[ $status -eq 1 ] || { cat "$TE_TMP/sender"; return 1; }
}

# Starts COMMAND, and kills it MS after BEGUN first succeeds, if it still lives.  Its exit
# status: not 0 when it was killed.
killed_after() { # killed_after MS BEGUN COMMAND...
	local begun=$2 after pid
	printf -v after '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
	shift 2
	"$@" <&0 &
	pid=$!
	until $begun || ! kill -0 $pid 2>/dev/null; do :; done
	[ "$after" = 0.000 ] || sleep "$after"
	kill -9 $pid 2>/dev/null || true
	wait $pid 2>/dev/null
}

# A pipe that does not end, as file descriptor 8 and $TE_TMP/pipe.
open_pipe() {
	rm -f "$TE_TMP/pipe"
	mkfifo "$TE_TMP/pipe"
	exec 8<>"$TE_TMP/pipe"
}

# The pins' devices, in the order of the volumes' ids.
pin() { # pin INDEX: the path of that one
	local name
	name=$(dmsetup ls | sed -n 's/^\(thinexport-[0-9a-f]*-pin-[0-9]*\)[ \t].*/\1/p' |
		sort -t- -k4,4nr | sed -n "$(($1 + 1))p")
	[ -n "$name" ] || return
	echo "/dev/mapper/$name"
}

# Prints the devices that are.  No program is run for it: a window may be short.
suspended() {
	local device state name
	for device in /sys/block/dm-*/dm; do
		read -r state <"$device/suspended" && read -r name <"$device/name" || continue
		if [ "$state" = 1 ]; then echo "$name"; fi
	done 2>/dev/null
}
is_recorded() { compgen -G "$te_records/*" >/dev/null; }	# a run, this one or another
any_is_suspended() { [ -n "$(suspended)" ]; }
none_is_suspended() { [ -z "$(suspended)" ]; }

held_root() { # held_root POOL: block of its metadata snapshot, or -
	dmsetup status "$1" | cut -d' ' -f7
}

# No device, no metadata snapshot, no suspension, no record, no mark of ours.
nothing_is_left() { # nothing_is_left [POOL]: or outside of one that is not active
	if dmsetup info -c --noheadings -o name,uuid | grep THINEXPORT-; then
		echo "a device is left"
		return 1
	fi
	if any_is_suspended; then
		echo "left suspended: $(suspended)"
		return 1
	fi
	[ $# -eq 0 ] || [ "$(held_root "$1")" = - ] || { echo "a metadata snapshot is left"; return 1; }
	if ls "$te_records" | grep .; then
		echo "a record is left"
		return 1
	fi
	if ls /run/thinexport | grep '\.window$'; then
		echo "a mark is left"
		return 1
	fi
}

# After it is deactivated: the ids of its volumes are just these.
has_only() { # has_only METADATA ID...
	local metadata=$1 ids
	shift
	ids=$(thin_ls --no-headers -o DEV "$metadata" | tr -d ' ' | tr '\n' ' ')
	[ "$ids" = "$* " ] || { echo "its volumes are: $ids"; return 1; }
}
