# SPDX-License-Identifier: GPL-2.0-or-later
# Tests of the repository itself.

.PHONY: check-tree
check-tree: command
	@BUILD=$(BUILD) tests/ktap-run tree tests/tree/check

## make check-tree       the repository itself: licences, names, pages, install
