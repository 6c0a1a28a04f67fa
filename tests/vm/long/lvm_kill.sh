#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As tests/vm/lvm_kill.sh, 50 times each.
# timeout: 3600
TE_POINTS=50 exec bash "$(dirname "$0")/../lvm_kill.sh"
