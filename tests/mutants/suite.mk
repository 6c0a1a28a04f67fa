# SPDX-License-Identifier: GPL-2.0-or-later
# Modules with a fault each, which tests must find.  A fault is a patch that a copy of the
# sources gets here and nowhere else, so no build of the sources themselves can have it.

MUTANTS := $(basename $(notdir $(wildcard tests/mutants/*.patch)))

# mutants-NAME: all of them, for the kernel that tests/qemu/kernel knows by that name, in
# $(BUILD)/mutants/NAME.ko.
.PHONY: mutants-%
mutants-%: vm-ready-%
	@kdir=$$(cat $(BUILD)/qemu/$*/kdir); \
	for mutant in $(MUTANTS); do \
		folder=$(BUILD)/mutants/$*/$$mutant; \
		rm -rf $$folder && mkdir -p $$folder && \
		$(MAKE) -s --no-print-directory module-folder KDIR=$$kdir BUILD=$$folder && \
		patch -s -p1 -F0 -d $$folder/module-* <tests/mutants/$$mutant.patch && \
		$(MAKE) -s -C $$kdir M=$$(realpath $$folder/module-*) modules && \
		mkdir -p $(BUILD)/mutants/$*.ko && \
		cp $$folder/module-*/dm-thinexport.ko $(BUILD)/mutants/$*.ko/$$mutant.ko || exit; \
	done
