#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As live_resume.sh, with a live pool's transfer interrupted at 50 random points, on
# both sides, instead of four.
# timeout: 3000
export TE_POINTS=50
exec bash "$(dirname "$0")/../live_resume.sh"
