# SPDX-License-Identifier: GPL-2.0-or-later
# The bench: ratios measured in one run, each beside its target.

BENCH_CORE_OBJ := $(BUILD)/tests/bench/bench_core.o

$(BUILD)/bench-core: $(BENCH_CORE_OBJ) $(COMMAND_LIB_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(BENCH_CORE_OBJ:.o=.d)

.PHONY: bench-core
bench-core: $(BUILD)/bench-core $(BUILD)/thin-generate
	@BUILD=$(BUILD) tests/bench/core.sh

## make bench-core       walk and difference of big pools, against thin_dump
