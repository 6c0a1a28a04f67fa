# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For scripts that want v0 and v1 written and verified without pause.  Comes after
# lib.sh; needs fio.

# Every block of both volumes has its checksum, and goes on being written and read.
fio_options=(--bs=16k --size=16m --direct=1 --ioengine=libaio --verify=crc32c
	--verify_fatal=1 --minimal)
fio_volumes=(--name=v0 --filename=/dev/mapper/v0 --name=v1 --filename=/dev/mapper/v1)

start_load() { # start_load [OPTION...]: of fio, for the load itself
	fio "${fio_options[@]}" --rw=write --do_verify=0 "${fio_volumes[@]}" >/dev/null
	fio "${fio_options[@]}" --rw=randwrite --verify_backlog=32 --verify_state_save=0 \
		--time_based --runtime=3000 "$@" "${fio_volumes[@]}" >"$TE_TMP/load" 2>&1 &
	load=$!
	later kill $load
}

# It must have lived until now and found nothing wrong; nor does a last look.
end_load() {
	kill -0 $load || { cat "$TE_TMP/load"; return 1; }
	kill -TERM $load
	wait $load || true
	fails grep -E 'verify:|bad magic|err=|error' "$TE_TMP/load"
	fio "${fio_options[@]}" --rw=read "${fio_volumes[@]}" >"$TE_TMP/check" 2>&1 ||
		{ cat "$TE_TMP/check"; return 1; }
}
