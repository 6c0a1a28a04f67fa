# SPDX-License-Identifier: GPL-2.0-or-later
# Tests of the command on image files: no device-mapper, no module.  Each script
# is a program of its own; lib.sh is what they share.

CLI_TESTS := $(filter-out %/lib.sh,$(wildcard tests/cli/*.sh))

.PHONY: check-cli
check-cli: command generate $(BUILD)/tests/view_image
	@for test in $(CLI_TESTS); do \
		name=$${test##*/}; \
		BUILD=$(BUILD) tests/ktap-run cli-$${name%.sh} sh $$test; \
	done

## make check-cli        the command on image files
