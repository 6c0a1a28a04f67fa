# SPDX-License-Identifier: GPL-2.0-or-later
# Unit tests: every tests/unit/test_*.c is a program of its own, linked with all
# of the command but main(), under the address and undefined-behaviour sanitizers.

UNIT_BUILD := $(BUILD)/sanitized
UNIT_SRC   := $(wildcard tests/unit/test_*.c)
UNIT_BIN   := $(UNIT_SRC:tests/unit/%.c=$(UNIT_BUILD)/%)
# What the test programs share (generators, fixtures): any other .c here.
UNIT_LIB   := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))
SANITIZE   := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

UNIT_LIB_OBJ := $(patsubst %.c,$(UNIT_BUILD)/%.o,$(UNIT_LIB) $(CORE_SRC) \
		  $(filter-out userspace/thinexport.c,$(COMMAND_SRC)))

$(UNIT_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(TE_CFLAGS) -Itests/unit -O1 -g $(SANITIZE) -MMD -MP -c -o $@ $<

$(UNIT_BIN): $(UNIT_BUILD)/%: $(UNIT_BUILD)/tests/unit/%.o $(UNIT_LIB_OBJ)
	@$(call say,LD)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(TE_LIBS) -lz

# Placement under writes that end late, and in another order.
%/test_place: LDFLAGS += -Wl,--wrap=te_write_at

-include $(UNIT_LIB_OBJ:.o=.d) $(UNIT_SRC:%.c=$(UNIT_BUILD)/%.d)

.PHONY: check-unit
.PRECIOUS: $(UNIT_BUILD)/%.o
check-unit: $(UNIT_BIN)
	@for bin in $(UNIT_BIN); do tests/ktap-run unit-$${bin##*/} $$bin; done

## make check-unit       unit tests, under sanitizers
