# SPDX-License-Identifier: GPL-2.0-or-later
# Modules with a fault each, which tests must find.  A fault is a patch that a copy of the
# sources gets here and nowhere else, so no build of the sources themselves can have it.

.PHONY: mutants-%
mutants-%: vm-ready-%
	@BUILD=$(BUILD) tests/mutants/build $*
