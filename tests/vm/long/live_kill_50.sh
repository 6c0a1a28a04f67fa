#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As live_kill.sh, with 50 kills at any moment.
# timeout: 1200
TE_POINTS=50 exec bash "$(dirname "$0")/../live_kill.sh"
