# memtrace: build, install, test.
#
#   make                 build/memtrace            O=DIR  V=1  WERROR=1  SAN=address,undefined
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

PKGS     := libbpf jansson libdw liblzma libprotobuf-c
CFLAGS   ?= -O2 -g
WARN     := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
HOST_CFLAGS  = -std=gnu11 $(CFLAGS) $(WARN) $(SANFLAGS) -D_GNU_SOURCE -DMEMTRACE_VERSION='"$(VERSION)"' \
	       -Isrc -Ibpf -I$(O)/bpf -I$(O)/src $(shell pkg-config --cflags $(PKGS))
HOST_LIBS    = $(SANFLAGS) $(LDFLAGS) $(shell pkg-config --libs $(PKGS)) -lelf -lz -liberty -lm
BPF_CFLAGS   = -g -O2 -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -Ivmlinux -Ibpf \
	       -idirafter /usr/include/$(shell $(CC) -dumpmachine) -Wall -Wextra \
	       -Wno-unused-parameter $(if $(WERROR),-Werror)

TOPICS   := $(patsubst bpf/%.bpf.c,%,$(wildcard bpf/*.bpf.c))
SKELS    := $(TOPICS:%=$(O)/bpf/%.skel.h)
SOURCES  := $(sort $(wildcard src/*.c src/*/*.c))
OBJECTS  := $(SOURCES:src/%.c=$(O)/src/%.o)
PROTO_C  := $(patsubst src/%.proto,$(O)/src/%.pb-c.c,$(wildcard src/*/*.proto))
EMBEDDED := $(patsubst src/%,$(O)/src/%.h,$(wildcard src/*/*.css src/*/*.js))
MADE     := $(SKELS) $(PROTO_C) $(EMBEDDED)
LIB      := $(O)/libmemtrace.a
UNITS    := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/*.c))
TOOLS    := $(patsubst tests/tools/%.c,$(O)/tests/tools/%,$(wildcard tests/tools/*.c))
PROGS    := $(patsubst tests/progs/%.c,$(O)/tests/progs/%,$(wildcard tests/progs/*.c)) \
	    $(addprefix $(O)/tests/progs/,leaker-static leak_plugin.so)

.PHONY: all progs
all: $(O)/memtrace
progs: $(PROGS) $(TOOLS)

# --- what runs in the kernel ---------------------------------------------------------------------------------

$(O)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	@mkdir -p $(@D)
	$(call say,CLANG,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@.tmp -MF $(@:.o=.d) -MT $@
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm -f $@.tmp

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

# --- what runs in user space ---------------------------------------------------------------------------------

$(O)/src/%.pb-c.c: src/%.proto Makefile
	@mkdir -p $(@D)
	$(call say,PROTO,$@)protoc-c --proto_path=src --c_out=$(O)/src $<

$(O)/src/%.pb-c.h: $(O)/src/%.pb-c.c ;

# src/out/flamegraph.css becomes flamegraph.css.h: static const char flamegraph_css[], one literal a line.
$(O)/src/%.h: src/% Makefile
	@mkdir -p $(@D)
	$(call say,EMBED,$@){ echo 'static const char $(subst .,_,$(notdir $<))[] ='; \
		sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $<; echo ';'; } > $@.tmp && mv $@.tmp $@

$(O)/src/%.o: src/%.c Makefile | $(MADE)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(O)/src/%.o: $(O)/src/%.c
	$(call say,CC,$@)$(CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(LIB): $(filter-out $(O)/src/main.o,$(OBJECTS)) $(PROTO_C:.c=.o)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(O)/memtrace: $(O)/src/main.o $(LIB)
	$(call say,LINK,$@)$(CC) -o $@ $^ $(HOST_LIBS)

$(O)/tests/unit/%: tests/unit/%.c $(LIB) Makefile | fixtures
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(HOST_CFLAGS) -DFIXTURES='"$(abspath $(FIXTURES))"' -MMD -MP $< $(LIB) -o $@ $(HOST_LIBS) -lcmocka

# Code to be symbolised, built in the ways there are. Not sanitized: the tests compare it with itself.
FIXTURES := $(O)/tests/fixtures
FIXTURE_FLAGS := -O2 -g -fPIC -fasynchronous-unwind-tables -Wl,--build-id
.PHONY: fixtures
fixtures: $(addprefix $(FIXTURES)/,gcc.so clang.so split.so compressed.so debug-frame.so debuglink.so mislinked.so \
	  stripped.so embedded.so names.so hostile-cfi.so static)

$(FIXTURES)/gcc.so: tests/fixtures/inlined.c tests/fixtures/inlined.h Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(FIXTURE_FLAGS) -shared $< -o $@

$(FIXTURES)/clang.so: tests/fixtures/inlined.c tests/fixtures/inlined.h Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CLANG) $(FIXTURE_FLAGS) -shared $< -o $@

$(FIXTURES)/split.so: tests/fixtures/inlined.c tests/fixtures/inlined.h Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(FIXTURE_FLAGS) -gsplit-dwarf -c $(abspath $<) -o $(abspath $(@:.so=.o)) && \
		$(CC) -shared -Wl,--build-id $(@:.so=.o) -o $@

$(FIXTURES)/compressed.so: tests/fixtures/inlined.c tests/fixtures/inlined.h Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(FIXTURE_FLAGS) -gz -shared $< -o $@

$(FIXTURES)/debug-frame.so: tests/fixtures/inlined.c tests/fixtures/inlined.h Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(FIXTURE_FLAGS) -fno-asynchronous-unwind-tables -nostdlib -shared $< -o $@

$(FIXTURES)/debuglink.so: $(FIXTURES)/gcc.so
	$(call say,STRIP,$@)objcopy --only-keep-debug $< $(@:.so=.debug) && strip -o $@ $< && \
		objcopy --add-gnu-debuglink=$(@:.so=.debug) $@

# Without a build ID, only the checksum tells that the file is another.
$(FIXTURES)/mislinked.so: $(FIXTURES)/gcc.so
	$(call say,STRIP,$@)objcopy --only-keep-debug -R .note.gnu.build-id $< $(@:.so=.debug) && \
		strip -R .note.gnu.build-id -o $@ $< && objcopy --add-gnu-debuglink=$(@:.so=.debug) $@ && \
		objcopy --add-section .changed=Makefile $(@:.so=.debug)

$(FIXTURES)/stripped.so: $(FIXTURES)/gcc.so
	$(call say,STRIP,$@)strip -o $@ $<

$(FIXTURES)/embedded.so: $(FIXTURES)/gcc.so
	$(call say,STRIP,$@)objcopy -S -K return_address $< $@.symbols && xz -f $@.symbols && strip -o $@ $< && \
		objcopy --add-section .gnu_debugdata=$@.symbols.xz $@

$(FIXTURES)/names.so: tests/fixtures/names.cc Makefile
	@mkdir -p $(@D)
	$(call say,CXX,$@)$(CXX) $(FIXTURE_FLAGS) -shared $< -o $@

$(FIXTURES)/hostile-cfi.so: tests/fixtures/hostile_cfi.S Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -shared -nostdlib $< -o $@

$(FIXTURES)/static: tests/fixtures/static.c tests/fixtures/inlined.c tests/fixtures/inlined.h Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -O2 -g -static -no-pie $(filter %.c,$^) -o $@

# What the end-to-end tests ask parts of memtrace with.
$(O)/tests/tools/%: tests/tools/%.c $(LIB) Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(HOST_CFLAGS) -MMD -MP $< $(LIB) -o $@ $(HOST_LIBS)

# Test programs touch memory in known ways: built without the sanitizers, which would touch more.
$(O)/tests/progs/%: tests/progs/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -pthread $< -o $@

$(O)/tests/progs/leaker-static: tests/progs/leaker.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 -O2 -g $(WARN) -D_GNU_SOURCE -DNO_PLUGIN -pthread -static $< -o $@

$(O)/tests/progs/leak_plugin.so: tests/fixtures/leak_plugin.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) -std=gnu11 -O2 -g $(WARN) -fPIC -shared $< -o $@

.PRECIOUS: $(O)/bpf/%.bpf.o $(O)/bpf/%.skel.h $(O)/src/%.pb-c.c $(O)/src/%.pb-c.h $(O)/src/%.h

-include $(wildcard $(O)/fuzz/*/*.d $(O)/bpf/*.d $(O)/src/*.d $(O)/src/*/*.d $(O)/tests/*/*.d)

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

# --- a fresh machine -----------------------------------------------------------------------------------------

DEPS_BUILD := gcc make clang llvm bpftool pkgconf libbpf-dev libelf-dev zlib1g-dev libjansson-dev uthash-dev \
	      libdw-dev liblzma-dev libiberty-dev protobuf-c-compiler libprotobuf-c-dev
DEPS_TEST  := g++ xz-utils libcmocka-dev bats smem jq strace python3 procps util-linux clang-format cppcheck shellcheck man-db \
	      libclang-rt-14-dev linux-perf golang-go chromium gdb sqlite3 redis-server \
	      libjemalloc2 libtcmalloc-minimal4
DEPS_VM    := qemu-system-x86 busybox-static cpio xz-utils zstd e2fsprogs
DEPS_MORE  := bpftrace valgrind $(DEPS_VM)

.PHONY: deps deps-vm deps-more demo
deps:
	@./tests/install-packages.sh $(DEPS_BUILD) $(DEPS_TEST)

# What only other kernels under qemu need.
deps-vm: deps
	@./tests/install-packages.sh $(DEPS_VM)

# What only `make bench` and `make test-kernels` use.
deps-more: deps
	@./tests/install-packages.sh $(DEPS_MORE)

demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@echo 'memtrace faults -n 8 -- gcc -O2 -c src/out/out.c'
	@$(O)/memtrace faults -n 8 -- gcc -std=gnu11 -O2 -D_GNU_SOURCE -Isrc -c src/out/out.c -o $(O)/demo.o

# --- tests ---------------------------------------------------------------------------------------------------

.PHONY: test unit memcheck e2e lint bpf-arm64 bench test-kernels fuzz
test: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all progs $(UNITS)
	@$(MAKE) --no-print-directory unit e2e

unit: $(UNITS)
	@for test in $(UNITS); do $$test || exit 1; done

# Without two that valgrind cannot run: it maps memory of its own, and gives up on a file of clang's.
memcheck: $(filter-out %/test_ledger_live %/test_module,$(UNITS))
	@for test in $^; do valgrind -q --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite $$test || exit 1; done

e2e: all progs $(O)/tests/unit/test_profile
	@[ "$$(id -u)" = 0 ] || { echo 'the end-to-end tests trace the kernel: run them as root' >&2; exit 1; }
	MEMTRACE=$(abspath $(O))/memtrace PROGS=$(abspath $(O))/tests/progs \
	TOOLS=$(abspath $(O))/tests/tools bats --print-output-on-failure tests/e2e

# The BPF side for the other architecture: it can only be compiled here.
bpf-arm64:
	@$(MAKE) --no-print-directory BPF_ARCH=arm64 O=$(O)/arm64 $(TOPICS:%=$(O)/arm64/bpf/%.skel.h)

CHECKED := $(wildcard bpf/*.[ch] src/*.[ch] src/*/*.[ch] vmlinux/*.h tests/*/*.[ch])
SCRIPTS := .ci/run $(wildcard tests/*.sh tests/*/*.sh tests/e2e/*.bash)
lint:
	clang-format --dry-run -Werror $(CHECKED)
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,portability \
		 --suppress=missingIncludeSystem --suppress=preprocessorErrorDirective:src/commands.h '-DHASH_ITER(hh,head,el,tmp)=for(el=head;el;el=tmp)' \
		 '-Dbpf_object__for_each_map(map,obj)=for(;;)' '-Dbpf_object__for_each_program(prog,obj)=for(;;)' \
		 -D__x86_64__ -D_GNU_SOURCE -DMEMTRACE_VERSION='"0"' -Isrc -Ibpf src
	shellcheck $(SCRIPTS)
	LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z docs/memtrace.8 2>&1 >/dev/null | \
		{ ! grep .; }

bench: all $(O)/tests/bench/empty $(addprefix $(O)/tests/progs/,storm mapstorm mallocstorm tlbstorm)
	MEMTRACE=$(O)/memtrace PROGS=$(O)/tests/progs EMPTY=$(O)/tests/bench/empty tests/bench/bench.sh
	MEMTRACE=$(O)/memtrace PROGS=$(O)/tests/progs tests/bench/calls.sh
	MEMTRACE=$(O)/memtrace tests/bench/processes.sh
	MEMTRACE=$(O)/memtrace PROGS=$(O)/tests/progs tests/bench/flushes.sh
	MEMTRACE=$(O)/memtrace PROGS=$(O)/tests/progs tests/bench/leaks.sh

$(O)/tests/bench/empty.bpf.o: tests/bench/empty.bpf.c Makefile
	@mkdir -p $(@D)
	$(call say,CLANG,$@)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(O)/tests/bench/empty: tests/bench/empty.c $(O)/tests/bench/empty.bpf.o Makefile
	$(call say,CC,$@)$(CC) $(HOST_CFLAGS) $< -o $@ $(HOST_LIBS)

# The smoke test, and the files of tests/e2e that KERNEL_E2E names.
KERNEL_E2E ?= oom.bats
test-kernels: deps-vm
	@$(MAKE) --no-print-directory -j$$(nproc) all progs
	O=$(O) tests/vm/run.sh -e smoke $(KERNEL_E2E:%=-e %) $(KERNELS)
	O=$(O) BOOT='-m 256 -a numa=fake=2' tests/vm/run.sh -e oom_machine.bats $(KERNELS)

FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZ_SECONDS ?= 20
FUZZ_CC := $(CLANG) $(HOST_CFLAGS) -Wno-unused-command-line-argument -g -O1 -fsanitize=address,undefined
FUZZ_LIB := $(patsubst src/%.c,$(O)/fuzz/%.o,$(wildcard src/model/*.c src/out/*.c src/proc/*.c src/sym/*.c src/util/*.c)) \
	    $(patsubst $(O)/src/%.c,$(O)/fuzz/%.o,$(PROTO_C))
$(O)/fuzz/%.o: src/%.c Makefile | $(MADE)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(FUZZ_CC) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(O)/fuzz/%.o: $(O)/src/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(FUZZ_CC) -fsanitize=fuzzer-no-link -c $< -o $@

$(O)/fuzz/lib.a: $(FUZZ_LIB)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(O)/tests/fuzz/%: tests/fuzz/%.c $(O)/fuzz/lib.a Makefile
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(FUZZ_CC) -fsanitize=fuzzer -MMD -MP $< $(O)/fuzz/lib.a -o $@ $(HOST_LIBS)

# Small files of every kind, to start from: a fuzzer does not find out by itself what ELF is.
ELF_SEEDS := $(addprefix $(O)/tests/fuzz/seeds/,fuzz_elf fuzz_unwind fuzz_allocator)
$(ELF_SEEDS): $(addprefix $(FIXTURES)/,gcc.so clang.so compressed.so debug-frame.so stripped.so \
		embedded.so hostile-cfi.so)
	@rm -rf $@ && mkdir -p $@ && cp $^ $@

# Each for FUZZ_SECONDS, as many at a time as there are CPUs.
fuzz: $(FUZZERS:$(O)/tests/fuzz/%=fuzz-%)

.PHONY: $(FUZZERS:$(O)/tests/fuzz/%=fuzz-%)
$(FUZZERS:$(O)/tests/fuzz/%=fuzz-%): fuzz-%: $(O)/tests/fuzz/% $(ELF_SEEDS)
	@seeds=$(O)/tests/fuzz/seeds/$*; mkdir -p $$seeds.new; \
	$< $$seeds.new $$(ls -d $$seeds 2> /dev/null) -artifact_prefix=$(O)/tests/fuzz/ -rss_limit_mb=2048 -timeout=10 \
		-max_total_time=$(FUZZ_SECONDS) -print_final_stats=0 -verbosity=0
