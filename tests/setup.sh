#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# setup.sh [build|check|long|debug|fuzz]: sees to it that the Debian packages are there
# which building, testing (the default), the long tests, the debug kernel or fuzzing need.  As
# root it installs what is missing; else it prints the line that does, and fails.
# When nothing is missing it only asks dpkg, and says nothing.
set -eu -o pipefail

build='libc6-dev libdevmapper-dev libblkid-dev libjson-c-dev libdeflate-dev libzstd-dev libisal-dev'
check="$build zlib1g-dev sparse dkms groff-base man-db
	qemu-system-x86 cpio kmod xz-utils mawk bash jq procps
	dmsetup lvm2 mdadm thin-provisioning-tools busybox-static fio e2fsprogs fdisk gdisk
	nbdkit libnbd-bin nbd-client pigz zstd openssl python3 patch"
long="$check systemd systemd-sysv udev"
debug="$check linux-source-6.1 flex bison bc libelf-dev libssl-dev"
fuzz="$build clang libclang-rt-14-dev"
# Any version of these will do, and the newest is installed.
headers='linux-headers-6.1.*-cloud-amd64 linux-headers-6.12.*-cloud-amd64'

what=${1:-check}
case $what in
build) wanted=$build headers= ;;
check) wanted=$check ;;
long) wanted=$long ;;
debug) wanted=$debug ;;
fuzz) wanted=$fuzz headers= ;;
*)
	echo "Usage: tests/setup.sh [build|check|long|debug|fuzz]" >&2
	exit 2
	;;
esac

expression() { # expression PATTERN: the same for grep
	sed 's/\./\\./g; s/\*/.*/g' <<<"$1"
}

installed() { # those of the packages named that are installed, a line each
	# A pattern that matches nothing makes dpkg-query fail; so it says less, no more.
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		sed -n 's/^installed //p' || :
}

# The whole of it in one question, because this runs before every test.
set -f
have=$(installed $wanted $headers)
missing=
for package in $wanted; do
	grep -qxF "$package" <<<"$have" || missing+=" $package"
done
unmatched=
for pattern in $headers; do
	grep -qx "$(expression "$pattern")" <<<"$have" || unmatched+=" $pattern"
done
[ -n "$missing$unmatched" ] || exit 0

newest() { # newest PATTERN: the newest package that apt knows by it
	apt-cache pkgnames linux-headers- | grep -x "$(expression "$1")" | sort -V | tail -1
}

resolve() { # all of what is missing by its name; fails when apt knows no such package
	local pattern name
	packages=$missing
	for pattern in $unmatched; do
		name=$(newest "$pattern") || return 1
		packages+=" $name"
	done
	apt-cache show --no-all-versions $packages >/dev/null 2>&1
}

if [ "$(id -u)" -ne 0 ]; then
	resolve || packages+=" (and the newest of$unmatched, after apt-get update)"
	echo "setup: packages are missing.  As root:" >&2
	echo "  apt-get install --no-install-recommends$packages" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=${BUILD:-build}/setup.log
mkdir -p "${log%/*}"
get() { apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >>"$log" 2>&1; }
: >"$log"
resolve || { get update && resolve; } || {
	tail -5 "$log" >&2
	echo "setup: apt knows not all of:$missing$unmatched" >&2
	exit 1
}
echo "setup: installing$packages" >&2
# A second try, because the lists may be older than the archive.
get install $packages || { get update && resolve && get install $packages; } || {
	tail -20 "$log" >&2
	echo "setup: apt-get install failed; all it said is in $log" >&2
	exit 1
}
