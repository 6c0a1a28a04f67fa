# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that need root and device-mapper: tests/vm/*.sh, in virtual machines.

VM_SCRIPTS := $(filter-out tests/vm/lib.sh,$(sort $(wildcard tests/vm/*.sh)))
# What is about the command alone names the one kernel to run on: "# kernel: 6.12".
scripts_of = $(filter-out $(shell grep -l '^\# kernel: ' $(VM_SCRIPTS)),$(VM_SCRIPTS)) \
	     $(shell grep -l '^\# kernel: $(subst .,\.,$(1))$$' $(VM_SCRIPTS))
LONG_SCRIPTS := $(sort $(wildcard tests/vm/long/*.sh))

# Of a kernel, by the name that tests/qemu/kernel knows it by.
KERNEL	?= 6.1
SCRIPT	?=

# vm-ready-NAME: all that a guest with that kernel carries.
.PHONY: vm-ready-%
vm-ready-%: setup command vm-programs $(BUILD)/thin-generate
	@BUILD=$(BUILD) tests/qemu/kernel $* >/dev/null
	@$(MAKE) --no-print-directory module KDIR=$$(cat $(BUILD)/qemu/$*/kdir 2>/dev/null)

.PHONY: check-vm check-vm-6.1 check-vm-6.12 check-debug vm
# Both guests at once: emulated, each keeps a little more than one processor busy.
check-vm: vm-ready-6.1 vm-ready-6.12
	@$(MAKE) --no-print-directory -j2 check-vm-6.1 check-vm-6.12
check-vm-6.1 check-vm-6.12: check-vm-%: vm-ready-%
	@BUILD=$(BUILD) TE_QUIET=1 tests/qemu/run $* $(call scripts_of,$*) >$(BUILD)/qemu/$*.out || :
	@BUILD=$(BUILD) tests/qemu/count $* $(call scripts_of,$*)

check-debug: setup-debug vm-ready-debug
	@rm -rf $(BUILD)/ktap
	@BUILD=$(BUILD) TE_QUIET=1 tests/qemu/run debug $(VM_SCRIPTS) >$(BUILD)/qemu/debug.out || :
	@BUILD=$(BUILD) tests/qemu/count debug $(VM_SCRIPTS)
	@BUILD=$(BUILD) tests/ktap-sum

.PHONY: check-long check-long-6.1 check-long-6.12
check-long: setup-long
	@rm -rf $(BUILD)/ktap
	@$(MAKE) --no-print-directory check-long-6.1 check-long-6.12 check-boot-6.12
	@BUILD=$(BUILD) tests/ktap-sum
check-long-6.1 check-long-6.12: check-long-%: mutants-%
	@BUILD=$(BUILD) TE_PASS=$(BUILD)/mutants/$*.ko=te/mutants TE_ENV=TE_MUTANTS=/te/mutants \
		tests/qemu/run $* $(LONG_SCRIPTS) || :
	@BUILD=$(BUILD) tests/qemu/count $* $(LONG_SCRIPTS)

# A whole Debian, booted twice.
.PHONY: check-boot-6.1 check-boot-6.12
check-boot-6.1 check-boot-6.12: check-boot-%: vm-ready-%
	@BUILD=$(BUILD) tests/qemu/boot $* || :
	@BUILD=$(BUILD) tests/qemu/count $* boot

vm: vm-ready-$(KERNEL)
	@BUILD=$(BUILD) tests/qemu/run $(KERNEL) $(SCRIPT)

.PHONY: setup setup-long setup-debug
setup:
	@tests/setup.sh
setup-long:
	@tests/setup.sh long
setup-debug:
	@tests/setup.sh debug

## make check-vm         tests/vm on Debian's 6.1 and 6.12 kernels, booted in QEMU
## make check-debug      the same on a debug kernel (KASAN, lockdep, kmemleak), built once
## make check-long       tests/vm/long: what takes minutes; modules with a fault, which tests must find;
##                       a whole Debian with our units, booted twice (check-boot-6.12)
## make vm               a shell in the guest; KERNEL=6.1|6.12|debug, SCRIPT="tests/vm/x.sh ..."
