# SPDX-License-Identifier: GPL-2.0-or-later
# The module against the headers of every kernel it claims: warnings, sparse, dkms.

.PHONY: check-kbuild
check-kbuild:
	@tests/ktap-run kbuild tests/kbuild/check

## make check-kbuild     the module against the installed headers of 6.1 and 6.12
