# SPDX-License-Identifier: GPL-2.0-or-later
# The module, built outside its sources: kbuild before 6.13 writes beside them.

KDIR	  ?= /lib/modules/$(shell uname -r)/build
KVER	   = $(shell sed -n 's/^\#define UTS_RELEASE "\(.*\)"$$/\1/p' \
		$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
MODULE	  := dm-thinexport
MODDIR	  ?= /lib/modules/$(KVER)/updates
DKMS	  ?= dkms
DKMS_SRC  ?= /usr/src/$(MODULE)-$(VERSION)

# All that it takes to build the module; also what dkms is given.
MODULE_SRC := Kbuild VERSION dkms.conf $(wildcard kernel/*.[ch] kernel/core/*.[ch] \
	      kernel/compat/*.h) include/thinexport/thin_disk.h include/thinexport/view.h \
	      include/thinexport/target.h

MODULE_BUILD = $(BUILD)/module-$(KVER)

.PHONY: module module-folder install-module uninstall-module
.PHONY: dkms-source dkms-install dkms-uninstall
module: module-folder
	$(Q)$(MAKE) $(if $(V),,-s) -C $(KDIR) M=$(abspath $(MODULE_BUILD)) $(KBUILD_FLAGS) modules

# A copy that keeps the sources' times, so that what has not changed is not built again.
module-folder:
	@[ -n "$(KVER)" ] || { echo "$(KDIR): no kernel headers here; install" \
		"linux-headers-$(shell uname -r) or name a kernel's build folder by KDIR=" >&2; exit 1; }
	@mkdir -p $(MODULE_BUILD)/kernel $(MODULE_BUILD)/include
	@find $(MODULE_BUILD)/kernel $(MODULE_BUILD)/include -name '*.[ch]' -delete
	@cp -p --parents $(MODULE_SRC) $(MODULE_BUILD)

install-module: module
	install -D -m 644 $(MODULE_BUILD)/$(MODULE).ko $(DESTDIR)$(MODDIR)/$(MODULE).ko
	[ -n "$(DESTDIR)" ] || depmod $(KVER)

uninstall-module:
	rm -f $(DESTDIR)$(MODDIR)/$(MODULE).ko
	[ -n "$(DESTDIR)" ] || depmod $(KVER)

dkms-source:
	mkdir -p $(DKMS_SRC)
	cp -p --parents $(MODULE_SRC) $(DKMS_SRC)

dkms-install: dkms-source
	$(DKMS) install $(MODULE)/$(VERSION)

dkms-uninstall:
	$(DKMS) remove $(MODULE)/$(VERSION) --all
	rm -rf $(DKMS_SRC)

## make install-module   the module, into the updates/ of the kernel that KDIR is of
## make dkms-install     the module through dkms, which builds it for each kernel
## make dkms-uninstall   takes it out of dkms again
