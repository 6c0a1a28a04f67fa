# SPDX-License-Identifier: GPL-2.0-or-later
# The tests.  Each suite has a makefile of its own, with its targets.
include $(wildcard tests/*/suite.mk)

.PHONY: check
check: setup
	@rm -rf $(BUILD)/ktap
	@$(MAKE) --no-print-directory -j2 $(HOST_CHECKS)
	@$(MAKE) --no-print-directory check-vm
	@BUILD=$(BUILD) tests/ktap-sum

HOST_CHECKS := check-tree check-unit check-fuzz check-cli check-vectors check-kbuild

## make check            all tests, closing with "N passed, N failed, N skipped"
