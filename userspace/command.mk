# SPDX-License-Identifier: GPL-2.0-or-later
# The command.  Sources stand in the order the data passes.

CC	?= gcc
WARN	:= -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	   -Wpointer-arith -Wundef -Wformat=2 -Wno-unused-parameter
CFLAGS	?= -O2 -g
TE_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DTE_VERSION='"$(VERSION)"' \
	    -Iinclude -Ikernel -Iuserspace $(WARN)
TE_LIBS	:= -ldevmapper -lblkid -ljson-c -ldeflate -lzstd -lisal -lpthread

CORE_SRC := fault superblock btree cursor walk details diff bitmap reach layout
CORE_SRC := $(CORE_SRC:%=kernel/core/%.c)

# The verbs
COMMAND_SRC := thinexport
COMMAND_SRC += $(addprefix cmd/, usage cmd_send cmd_receive cmd_view cmd_cleanup cmd_info \
	cmd_verify cmd_dump cmd_passdown \
	cmd_trim)
# What all of them stand on: messages, signals, progress, listings, threads
COMMAND_SRC += $(addprefix base/, say interrupt progress listing utf8 words threads child pack write_at)
# Out: a live pool's moment
COMMAND_SRC += $(addprefix live/, dm dm_table dm_call lock mark record peek mount moment crew watchdog \
	priority window pin undo pending live close_view)
COMMAND_SRC += $(addprefix lvm/, lvm_report lvm_ask lvm lvm_lock lvm_change lvm_shape lvm_text \
	lvm_new lvm_left lvm_room lvm_into)
# ... or any other source
COMMAND_SRC += $(addprefix source/, image metadata_cache source source_devices source_view \
	source_any source_options)
# ... surveyed, planned, read, sent
COMMAND_SRC += $(addprefix send/, survey sharer plan batch send_fill send_frames send send_list \
	part output)
# The stream
COMMAND_SRC += $(addprefix stream/, codec codec_zlib codec_zstd frame resume catalog_member \
	catalog_lvm catalog ops_frame stream_write stream_check unpack stream_read)
# Back: placement
COMMAND_SRC += $(addprefix receive/, choice choice_scan room checkpoint receive_state receive_keep \
	receive receive_list receive_status target place sink_pool provisioned sink_thin)
# ... and metadata
COMMAND_SRC += $(addprefix build/, build build_node build_tree build_copy build_store build_state \
	build_count build_space_map)
# Space that a pool frees, and the array below it
COMMAND_SRC += $(addprefix passdown/, sysfs stripe identity rate shim shim_file shim_status layer \
	create restripe stack extents discard trim trim_each trim_report)
# Told and compared
COMMAND_SRC += $(addprefix show/, dump info info_stream info_source mapping verify_against \
	verify_report)
COMMAND_SRC := $(COMMAND_SRC:%=userspace/%.c)

CORE_OBJ    := $(CORE_SRC:%.c=$(BUILD)/%.o)
COMMAND_OBJ := $(COMMAND_SRC:%.c=$(BUILD)/%.o)

# Everything but main(), for the tests to link with.
COMMAND_LIB_OBJ := $(filter-out %/userspace/thinexport.o,$(COMMAND_OBJ)) $(CORE_OBJ)

# Named in words before the compiler stumbles over what is missing.  A header and
# the Debian package that has it.
LIBRARIES := libdevmapper.h=libdevmapper-dev blkid/blkid.h=libblkid-dev \
	     json-c/json.h=libjson-c-dev libdeflate.h=libdeflate-dev zstd.h=libzstd-dev \
	     isa-l.h=libisal-dev

$(BUILD)/libraries: userspace/command.mk
	@mkdir -p $(@D)
	@missing=; for pair in $(LIBRARIES); do \
		echo "#include <$${pair%=*}>" | $(CC) $(CPPFLAGS) $(CFLAGS) -fsyntax-only -x c - \
			2>/dev/null || missing="$$missing $${pair#*=}"; \
	done; \
	[ -z "$$missing" ] || { echo "Libraries are missing.  On Debian:" \
		"apt-get install --no-install-recommends$$missing" >&2; exit 1; }
	@touch $@

$(COMMAND_OBJ) $(CORE_OBJ): | $(BUILD)/libraries

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(TE_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/thinexport: $(COMMAND_OBJ) $(CORE_OBJ)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TE_LIBS)

-include $(COMMAND_OBJ:.o=.d) $(CORE_OBJ:.o=.d)

# systemd's, with the command's path put in.
UNITS := thinexport-passdown.service thinexport-trim.service thinexport-trim.timer

.PHONY: command install-command uninstall-command
command: $(BUILD)/thinexport

install-command: command
	install -D -m 755 $(BUILD)/thinexport $(DESTDIR)$(SBINDIR)/thinexport
	install -D -m 644 userspace/man/thinexport.8 $(DESTDIR)$(MANDIR)/man8/thinexport.8
	install -D -m 644 userspace/man/thinexport-stream.5 \
		$(DESTDIR)$(MANDIR)/man5/thinexport-stream.5
	for unit in $(UNITS); do \
		sed 's|@SBINDIR@|$(SBINDIR)|' userspace/systemd/$$unit.in >$(BUILD)/$$unit && \
		install -D -m 644 $(BUILD)/$$unit $(DESTDIR)$(UNITDIR)/$$unit || exit; \
	done

uninstall-command:
	rm -f $(DESTDIR)$(SBINDIR)/thinexport $(DESTDIR)$(MANDIR)/man8/thinexport.8 \
		$(DESTDIR)$(MANDIR)/man5/thinexport-stream.5 \
		$(UNITS:%=$(DESTDIR)$(UNITDIR)/%)
