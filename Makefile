# SPDX-License-Identifier: GPL-2.0-or-later
#
# dm-thinexport: the kernel module, the command and their tests.  `make help`
# lists what can be asked for.  All output goes below $(BUILD).

VERSION	:= $(shell cat VERSION)
BUILD	?= build
PREFIX	?= /usr/local
SBINDIR	?= $(PREFIX)/sbin
MANDIR	?= $(PREFIX)/share/man
UNITDIR	?= $(PREFIX)/lib/systemd/system
DESTDIR	?=

# One short line for each thing that is made; V=1 shows the whole commands.
V ?=
Q   := $(if $(V),,@)
say  = $(if $(V),:,printf '  %-3s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

# The makefile of each part, in the order the parts are built.
include kernel/module.mk
include userspace/command.mk
include tests/tests.mk

.PHONY: all install uninstall clean help
all: command module

install: install-command install-module
uninstall: uninstall-command uninstall-module

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make                  the module for the running kernel (KDIR=...) and the command
## make command          the command alone
## make module           the module alone; KDIR names the kernel's build folder
## make install          both, below DESTDIR and PREFIX (/usr/local)
## make uninstall        takes away what install put there
## make clean            removes build/
## V=1                   shows the commands themselves
