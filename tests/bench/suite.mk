# SPDX-License-Identifier: GPL-2.0-or-later
# The bench: ratios measured in one run, each beside its target.

BENCH_CORE_OBJ := $(BUILD)/tests/bench/bench_core.o
BENCH_BUILD_OBJ := $(BUILD)/tests/bench/bench_build.o $(BUILD)/tests/unit/rebuild.o
$(BENCH_BUILD_OBJ): TE_CFLAGS += -Itests/unit

$(BUILD)/bench-core: $(BENCH_CORE_OBJ) $(COMMAND_LIB_OBJ)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TE_LIBS)

$(BUILD)/bench-build: $(BENCH_BUILD_OBJ) $(COMMAND_LIB_OBJ)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TE_LIBS)

$(BUILD)/large-frames: $(BUILD)/tests/bench/large_frames.o $(COMMAND_LIB_OBJ)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(BUILD)/tests/bench/large_frames.d
-include $(BENCH_CORE_OBJ:.o=.d) $(BENCH_BUILD_OBJ:.o=.d)

.PHONY: bench-core bench-build
bench-core: $(BUILD)/bench-core $(BUILD)/thin-generate
	@BUILD=$(BUILD) tests/bench/core.sh

bench-build: $(BUILD)/bench-build $(BUILD)/thin-generate
	@BUILD=$(BUILD) tests/bench/build.sh

## make bench-core       walk and difference of big pools, against thin_dump
## make bench-build      metadata built anew, against thin_restore; its size and cost


$(BUILD)/bench-measure: tests/bench/measure.c
	@mkdir -p $(@D)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(WARN) -o $@ $<

.PHONY: bench-send
bench-send: command $(BUILD)/bench-measure $(BUILD)/bench-core $(BUILD)/thin-generate
	@BUILD=$(BUILD) tests/bench/send.sh

## make bench-send       send and its plan on image files, against dd

.PHONY: bench bench-receive
bench-receive: command $(BUILD)/bench-measure $(BUILD)/thin-generate $(BUILD)/large-frames
	@BUILD=$(BUILD) tests/bench/receive.sh

.PHONY: bench-pipeline
bench-pipeline: command $(BUILD)/bench-measure $(BUILD)/thin-generate
	@BUILD=$(BUILD) tests/bench/pipeline.sh

bench: setup vm-ready-6.12 $(BUILD)/bench-core $(BUILD)/bench-build $(BUILD)/bench-measure \
		$(BUILD)/large-frames
	@BUILD=$(BUILD) tests/bench/all

## make bench-pipeline   send, receive, verify on 2 cores, against pigz, zstd and dd
## make bench-receive    memory of receive
## make bench            all of these, and vm_*.sh in a virtual machine, in one table
