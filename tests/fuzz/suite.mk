# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzing: every tests/fuzz/fuzz_*.c is a target of libFuzzer, linked with all of the
# command but main().  What it found stays in $(BUILD)/fuzz/corpus and is used again.

FUZZ_SECONDS ?= 60
FUZZ_CC	     ?= clang
FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_SRC     := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN     := $(FUZZ_SRC:tests/fuzz/%.c=$(FUZZ_BUILD)/%)
FUZZ_FLAGS   := -O1 -g -Wno-missing-field-initializers -Wno-format-nonliteral -fsanitize=address,undefined -fno-sanitize-recover=undefined

FUZZ_LIB_OBJ := $(patsubst %.c,$(FUZZ_BUILD)/%.o,$(CORE_SRC) \
		  $(filter-out userspace/thinexport.c,$(COMMAND_SRC)))

$(FUZZ_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(FUZZ_CC) $(TE_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ_BIN): $(FUZZ_BUILD)/%: $(FUZZ_BUILD)/tests/fuzz/%.o $(FUZZ_LIB_OBJ)
	@$(call say,LD)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(FUZZ_LIB_OBJ:.o=.d) $(FUZZ_SRC:%.c=$(FUZZ_BUILD)/%.d)

.PHONY: fuzz setup-fuzz
.PRECIOUS: $(FUZZ_BUILD)/%.o
setup-fuzz:
	@tests/setup.sh fuzz

fuzz: setup-fuzz command $(BUILD)/thin-generate
	@$(MAKE) --no-print-directory $(FUZZ_BIN)
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ_BIN)

## make fuzz             metadata and streams of hostile make, FUZZ_SECONDS (60) each
