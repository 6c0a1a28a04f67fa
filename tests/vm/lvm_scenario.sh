#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demonstration as a test: a volume group's pool, mounted and written to, moves to
# a RAID5 by one line, and grows.
# kernel: 6.12
# timeout: 300
exec bash "$(dirname "$0")/../demo/demo.sh"
