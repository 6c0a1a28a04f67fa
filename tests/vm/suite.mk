# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that the scripts of this folder call: one .c each, carried into the guest.

VM_PROGRAM_NAMES := pattern view_image random_reads damage fail_nth \
	disk_recorder disk_replay slow_discards
VM_PROGRAMS := $(VM_PROGRAM_NAMES:%=$(BUILD)/tests/%)

# These read metadata by the core.
VM_CORE_PROGRAMS := $(BUILD)/tests/view_image $(BUILD)/tests/damage
$(VM_CORE_PROGRAMS): $(CORE_OBJ)
$(VM_CORE_PROGRAMS): VM_LIBS := -lisal

# These are servers of disks.
$(BUILD)/tests/disk_recorder $(BUILD)/tests/slow_discards: tests/vm/nbd_server.c

$(VM_PROGRAMS): $(BUILD)/tests/%: tests/vm/%.c
	@mkdir -p $(@D)
	@$(call say,LD)
	$(Q)$(CC) $(TE_CFLAGS) $(CFLAGS) -MMD -MP -MF $@.d -o $@ $(filter %.c %.o,$^) $(VM_LIBS)

-include $(VM_PROGRAMS:=.d)

.PHONY: vm-programs
vm-programs: $(VM_PROGRAMS)
