# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzing: every tests/fuzz/fuzz_*.c is a target of libFuzzer, linked with all of the
# command but main() and with what the targets share, any other .c here.  What a
# run finds stays in $(BUILD)/fuzz/corpus and is used again; tests/fuzz/corpus has
# the least of it that reaches as much, and is replayed as a test.

FUZZ_SECONDS ?= 60
FUZZ_CC	     ?= clang
FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_SRC     := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN     := $(FUZZ_SRC:tests/fuzz/%.c=$(FUZZ_BUILD)/%)
FUZZ_SHARED  := tests/fuzz/packed.c tests/fuzz/mended.c tests/fuzz/model.c tests/fuzz/device.c \
		tests/unit/blocks.c tests/unit/streams.c
FUZZ_FLAGS   := -O1 -g -Wno-missing-field-initializers -Wno-format-nonliteral -fsanitize=address,undefined -fno-sanitize-recover=undefined

FUZZ_LIB_SRC := $(FUZZ_SHARED) $(CORE_SRC) $(filter-out userspace/thinexport.c,$(COMMAND_SRC))
FUZZ_LIB_OBJ := $(FUZZ_LIB_SRC:%.c=$(FUZZ_BUILD)/%.o)

$(FUZZ_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(FUZZ_CC) $(TE_CFLAGS) -Itests/unit $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ_BIN): $(FUZZ_BUILD)/%: $(FUZZ_BUILD)/tests/fuzz/%.o $(FUZZ_LIB_OBJ)
	@$(call say,LD)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(FUZZ_LIB_OBJ:.o=.d) $(FUZZ_SRC:%.c=$(FUZZ_BUILD)/%.d)

# The same targets by the compiler of the unit tests, with replay.c for libFuzzer.
REPLAY_BUILD := $(BUILD)/sanitized
REPLAY_BIN   := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(REPLAY_BUILD)/replay_%)

$(REPLAY_BIN): $(REPLAY_BUILD)/replay_%: $(REPLAY_BUILD)/tests/fuzz/fuzz_%.o \
		$(REPLAY_BUILD)/tests/fuzz/replay.o $(FUZZ_LIB_SRC:%.c=$(REPLAY_BUILD)/%.o)
	@$(call say,LD)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(patsubst %.c,$(REPLAY_BUILD)/%.d,$(FUZZ_SRC) $(FUZZ_SHARED) tests/fuzz/replay.c)

# Unit tests and corpora once more, with the lines counted that they reach.
COVERAGE_BUILD := $(BUILD)/coverage
COVERAGE_TEST  := $(patsubst tests/unit/%.c,$(COVERAGE_BUILD)/%,$(wildcard tests/unit/test_*.c))
COVERAGE_BIN   := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=$(COVERAGE_BUILD)/replay_%)
COVERAGE_OBJ   := $(patsubst %.c,$(COVERAGE_BUILD)/%.o,$(sort $(FUZZ_LIB_SRC) \
		    $(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c))))

$(COVERAGE_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(TE_CFLAGS) -Itests/unit -Og -g --coverage -MMD -MP -c -o $@ $<

$(COVERAGE_TEST): $(COVERAGE_BUILD)/%: $(COVERAGE_BUILD)/tests/unit/%.o $(COVERAGE_OBJ)
	@$(call say,LD)
	$(Q)$(CC) --coverage $(LDFLAGS) -o $@ $^ $(TE_LIBS) -lz

$(COVERAGE_BIN): $(COVERAGE_BUILD)/replay_%: $(COVERAGE_BUILD)/tests/fuzz/fuzz_%.o \
		$(COVERAGE_BUILD)/tests/fuzz/replay.o $(COVERAGE_OBJ)
	@$(call say,LD)
	$(Q)$(CC) --coverage $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(COVERAGE_OBJ:.o=.d) $(COVERAGE_TEST:$(COVERAGE_BUILD)/%=$(COVERAGE_BUILD)/tests/unit/%.d) \
	 $(FUZZ_SRC:%.c=$(COVERAGE_BUILD)/%.d)

# Mutated streams, through the command as it is built for use.
$(FUZZ_BUILD)/receive_many: $(BUILD)/tests/fuzz/receive_many.o $(COMMAND_LIB_OBJ)
	@mkdir -p $(@D)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(BUILD)/tests/fuzz/receive_many.d

MUTANTS ?= 100000

.PHONY: fuzz fuzz-coverage fuzz-streams setup-fuzz check-fuzz
.PRECIOUS: $(FUZZ_BUILD)/%.o
setup-fuzz:
	@tests/setup.sh fuzz

fuzz: setup-fuzz generate
	@$(MAKE) --no-print-directory $(FUZZ_BIN)
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ_BIN)

fuzz-coverage: generate $(COVERAGE_TEST) $(COVERAGE_BIN)
	@BUILD=$(BUILD) tests/fuzz/coverage $(COVERAGE_BUILD) $(COVERAGE_TEST) -- $(COVERAGE_BIN)

fuzz-streams: command generate $(FUZZ_BUILD)/receive_many
	@BUILD=$(BUILD) tests/fuzz/mutate-streams --mutants $(MUTANTS)

check-fuzz: command generate $(REPLAY_BIN) $(FUZZ_BUILD)/receive_many
	@for bin in $(REPLAY_BIN); do \
		name=$${bin##*/replay_}; \
		tests/ktap-run fuzz-$$name $$bin tests/fuzz/corpus/$$name; \
	done
	@BUILD=$(BUILD) tests/ktap-run fuzz-streams tests/fuzz/mutate-streams --mutants 500

## make fuzz             hostile metadata and streams, FUZZ_SECONDS (60) a target
## make fuzz-coverage    lines of core and stream reading that tests and corpora reach
## make fuzz-streams     MUTANTS (100000) mutated streams are received
## make check-fuzz       replays what fuzzing has found, under sanitizers
