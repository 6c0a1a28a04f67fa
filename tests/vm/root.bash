# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A root file system on a volume of the pool that its own programs send: program,
# libraries, locks, record and standard error.  Comes after lib.sh and live.bash.

# make_root FOLDER PROGRAM...: the file system there has just what these need.
make_root() {
	local root=$1 program lib folder
	shift
	mkdir -p "$root"/{usr/bin,dev,proc,sys,run/thinexport,run/lock/lvm,var/lib/thinexport,tmp} || return
	for program; do
		cp "$(type -P "$program")" "$root/usr/bin/" || return
		LD_TRACE_LOADED_OBJECTS=1 "$(type -P "$program")" |
			sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[ \t]*\(\/[^ ]*\) (.*/\1/p'
	done >"$TE_TMP/libs"
	[ -s "$TE_TMP/libs" ] || return
	while read -r lib; do
		mkdir -p "$root/$(dirname "$lib")"
		cp "$(realpath "$lib")" "$root/$lib" || return
	done <"$TE_TMP/libs"
	for folder in dev proc sys; do
		mount --bind /$folder "$root/$folder" || return
		later umount "$root/$folder"
	done
}

# write_always ROOT DEVICE: on both, until end_writing.  How long the longest write to
# DEVICE took, its program's start included, is left in $TE_TMP/longest, in us.
write_always() {
	local began took longest=0
	rm -f "$TE_TMP/stop"
	while [ ! -e "$TE_TMP/stop" ]; do
		head -c 300000 /dev/urandom >"$1/tmp/$((RANDOM % 50))"
		began=${EPOCHREALTIME/./}
		dd if=/dev/urandom of="$2" bs=64k count=4 seek=$((RANDOM % 400)) \
			oflag=direct conv=notrunc status=none
		took=$((${EPOCHREALTIME/./} - began))
		[ $took -le $longest ] || echo $((longest = took)) >"$TE_TMP/longest"
	done &
	te_writer=$!
	later kill $te_writer
}
end_writing() {
	touch "$TE_TMP/stop"
	wait $te_writer
}

# send_from ROOT OPTION...: one moment of the pool below that root; $TE_TMP/stream.
send_from() {
	local root=$1
	shift
	# What is in the page cache is no proof: the programs come from disk.
	sync -f "$root/tmp"
	echo 3 >/proc/sys/vm/drop_caches
	timeout $((60 * ${TE_SLOW:-1})) busybox chroot "$root" /usr/bin/thinexport send "$@" \
		>"$TE_TMP/stream" 2>"$root/tmp/said" ||
		{ cat "$root/tmp/said"; suspended; return 1; }
	grep -o 'stood still for .* ms' "$root/tmp/said" | tee -a "$TE_TMP/windows" || return
	fails grep -q 'watchdog\|late' "$root/tmp/said"
}
