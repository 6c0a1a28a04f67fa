# SPDX-License-Identifier: GPL-2.0-or-later
# thin-generate: pools made up for the tests and the bench; the generator's parts
# lie beside the unit tests, which link with them too.

GENERATE_SRC := tests/gen/thin-generate.c $(wildcard tests/unit/generate*.c)
GENERATE_OBJ := $(GENERATE_SRC:%.c=$(BUILD)/%.o)

$(GENERATE_OBJ): TE_CFLAGS += -Itests/unit

$(BUILD)/thin-generate: $(GENERATE_OBJ)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lisal

-include $(GENERATE_OBJ:.o=.d)

.PHONY: generate
generate: $(BUILD)/thin-generate

## make generate         build/thin-generate, which makes up pools (--help)
