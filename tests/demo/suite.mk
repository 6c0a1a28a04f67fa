# SPDX-License-Identifier: GPL-2.0-or-later
# The demonstration, in a virtual machine.

.PHONY: demo
demo: vm-ready-6.1
	@BUILD=$(BUILD) TE_BARE=1 tests/qemu/run 6.1 tests/demo/demo.sh

## make demo             a volume group's live pool moves to RAID5, before your eyes
