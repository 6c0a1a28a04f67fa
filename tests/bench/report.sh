# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# The rows of the bench's table, which is 80 columns wide: for all its scripts.

row() {		# WHAT MEASURED WANTED REACHED
	printf '%-46s %12s %10s  %s\n' "$@"
}

# Above the rows, unless they go into the one table of all.
heading() {
	[ -n "${BENCH_ONE_TABLE:-}" ] || row what measured wanted reached
}

# ratio WHAT VALUE FORMAT RELATION WANTED: a row; whether the value is reached is left
# in $reached, yes or NO.
ratio() {
	reached=$(awk -v v="$2" -v t="$5" -v rel="$4" \
		'BEGIN { print (rel == ">=" ? v >= t : v <= t) ? "yes" : "NO" }')
	row "$1" "$(awk -v v="$2" -v f="$3" 'BEGIN { printf f, v }')" "$4 $5" "$reached"
}

divide() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.12g\n", a / b }'
}

# ms COMMAND...: how long it takes, in hundredths of a millisecond.
ms() {
	ms_start=$(date +%s%N)
	"$@" || return
	echo $((($(date +%s%N) - ms_start) / 10000))
}

# median [FILE]: of the numbers in it, or on standard input, a line each.
median() {
	sort -n ${1+"$1"} | awk '{ number[NR] = $1 } END { print number[int((NR + 1) / 2)] }'
}
