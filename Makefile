# memtrace: build, install, test.
#
#   make                 build/memtrace            O=DIR  V=1  DEBUG=1  WERROR=1  SAN=address,undefined
#   make install         PREFIX=/usr/local DESTDIR=
#   make deps            install what building and testing needs (Debian)
#   make demo            install, build, and watch a real workload fault
#   make test            install, build, run every test
#   make lint bench test-kernels fuzz clean

O       ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

CC       ?= gcc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
BPF_ARCH ?= $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(shell uname -m)))
VERSION  := 0.1.0

PKGS     := libbpf jansson
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
HOST_CFLAGS  = -std=gnu11 $(CFLAGS) $(WARN) $(SANFLAGS) -D_GNU_SOURCE -DMEMTRACE_VERSION='"$(VERSION)"' \
	       -Isrc -Ibpf -I$(O)/bpf $(shell pkg-config --cflags $(PKGS))
HOST_LIBS    = $(SANFLAGS) $(LDFLAGS) $(shell pkg-config --libs $(PKGS)) -lelf -lz
BPF_CFLAGS   = -g -O2 -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -Ivmlinux -Ibpf -Wall -Wextra \
	       -Wno-unused-parameter $(if $(WERROR),-Werror)

TOPICS   := $(patsubst bpf/%.bpf.c,%,$(wildcard bpf/*.bpf.c))
SKELS    := $(TOPICS:%=$(O)/bpf/%.skel.h)
SOURCES  := $(sort $(wildcard src/*.c src/*/*.c))
OBJECTS  := $(SOURCES:src/%.c=$(O)/src/%.o)
LIB      := $(O)/libmemtrace.a
UNITS    := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/*.c))
PROGS    := $(patsubst tests/progs/%.c,$(O)/tests/progs/%,$(wildcard tests/progs/*.c))

.PHONY: all progs
all: $(O)/memtrace
progs: $(PROGS)

# --- what runs in the kernel ---------------------------------------------------------------------------------

$(O)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	@mkdir -p $(@D)
	$(call say,CLANG,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@.tmp -MF $(@:.o=.d) -MT $@
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm -f $@.tmp

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

# --- what runs in user space ---------------------------------------------------------------------------------

$(O)/src/%.o: src/%.c Makefile | $(SKELS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(filter-out $(O)/src/main.o,$(OBJECTS))
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(O)/memtrace: $(O)/src/main.o $(LIB)
	$(call say,LINK,$@)$(CC) -o $@ $^ $(HOST_LIBS)

$(O)/tests/unit/%: tests/unit/%.c $(LIB) Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(HOST_CFLAGS) -MMD -MP $< $(LIB) -o $@ $(HOST_LIBS) -lcmocka

# Test programs touch memory in known ways: built without the sanitizers, which would touch more.
$(O)/tests/progs/%: tests/progs/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -pthread $< -o $@

-include $(wildcard $(O)/bpf/*.d $(O)/src/*.d $(O)/src/*/*.d $(O)/tests/*/*.d)

# --- install -------------------------------------------------------------------------------------------------

.PHONY: install uninstall clean
install: all
	install -D -m 755 $(O)/memtrace $(DESTDIR)$(PREFIX)/bin/memtrace
	install -D -m 644 docs/memtrace.8 $(DESTDIR)$(PREFIX)/share/man/man8/memtrace.8
	install -D -m 644 docs/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/memtrace

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/memtrace $(DESTDIR)$(PREFIX)/share/man/man8/memtrace.8 \
	      $(DESTDIR)$(PREFIX)/share/bash-completion/completions/memtrace

clean:
	rm -rf $(O)
