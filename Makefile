# ghoard: `make` builds build/ghoard, `make help` names the rest.
#
# Needs GNU make and a package manager; whatever else is missing is installed
# by vendor/deps.sh.  V=1 shows the commands, JOBS=1 runs one at a time.

VERSION  := 0.1.0
# other machines' code is larger
MAX_SIZE  = $(if $(filter x86_64,$(ARCH)),1179648,1441792)
HERE     := $(patsubst armv7%,armv7,$(shell uname -m))
# set and empty, as a Dockerfile's argument is, is not set
ifeq (,$(ARCH))
override ARCH := $(HERE)
endif

PREFIX       ?= /usr/local
FUZZ_SECONDS ?= 5
VENDOR       ?=
export RELEASE
# T=name narrows `make unit`, `make scenario`, `make bench`
T            ?=
PYTEST_FLAGS ?= -n 2
GH_CURRENT   ?= 1
PEERS        ?= 1

# Alpine's own compiler makes musl programs.  Elsewhere musl is built from what
# vendor/pins names; for another machine, by the distribution's cross compiler.
ALPINE  := $(wildcard /etc/alpine-release)
O       := build$(if $(filter-out $(HERE),$(ARCH)),/$(ARCH))
TRIPLE_aarch64 := aarch64-linux-gnu-
TRIPLE_armv7   := arm-linux-gnueabihf-
TRIPLE_riscv64 := riscv64-linux-gnu-
QEMU_aarch64   := aarch64
QEMU_armv7     := arm
QEMU_riscv64   := riscv64
CROSS   := $(if $(filter-out $(HERE),$(ARCH)),$(or $(TRIPLE_$(ARCH)),$(error no compiler for ARCH=$(ARCH) is \
	known; there are aarch64, armv7 and riscv64)))
MUSL    := $(O)/musl/lib
MUSL_CC := $(if $(ALPINE),gcc,$(CROSS)gcc -specs $(MUSL)/musl-gcc.specs)
HOST_CC := gcc
FUZZ_CC := clang
PYTHON  := build/venv/bin/python

# In a make within this make the jobs are already shared.
ifeq (0,$(MAKELEVEL))
JOBS ?= $(shell nproc)
MAKEFLAGS += -j$(JOBS)
endif
MAKEFLAGS += --no-print-directory --no-builtin-rules
export LC_ALL := C
SHELL := /bin/sh
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

ifneq (1,$(words $(CURDIR)))
$(error make cannot work in a folder whose name has a space: $(CURDIR))
endif

Q   := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) '$(2)'

# ---- sources (sort is by byte, in every locale) ----

SRC      := $(sort $(wildcard src/*.c src/*/*.c))
PART     := $(filter-out src/main.c,$(SRC))
TESTS    := $(sort $(wildcard test/unit/*/*_test.c))
HELPERS  := $(sort $(wildcard test/unit/*.c))
FUZZERS  := $(filter-out test/fuzz/replay.c,$(sort $(wildcard test/fuzz/*.c)))
LIBS     := bearssl cjson libsodium libyaml zlib
UNPACKED := build/vendor/unpacked

# ---- flags ----

# Only the libraries' headers are -isystem: their warnings are not ours.
CPPFLAGS := -std=gnu11 -D_GNU_SOURCE -Isrc -isystem build/vendor/src/bearssl/inc \
	-isystem build/vendor/src/cjson -isystem build/vendor/src/libyaml/include \
	-isystem build/vendor/src/libsodium/src/libsodium/include/sodium \
	-isystem build/vendor/src/zlib
WARN := -Wall -Wextra -Wconversion -Wshadow -Wswitch-enum -Wvla \
	-Wmissing-prototypes -Werror

# No _FORTIFY_SOURCE: musl's headers have no checked variants to switch on.
# The prefix map takes this folder's name out of the binary.
# For size, but for what a hit or a handshake spends its time in: the JSON
# scanner below, and BearSSL by its own rule.  Nothing reads unwind tables: they
# would be 61 KiB.  Unscheduled code is as large and repeats itself more: 2 % of
# the packed program.
RELEASE_FLAGS := -Os -fno-schedule-insns2 -g -fPIE -fno-asynchronous-unwind-tables \
	-ffunction-sections -fdata-sections \
	-fstack-protector-strong -fstack-clash-protection -ffile-prefix-map=$(CURDIR)=.
# a 32-bit machine has other conversions; its compiler's opinion is not asked
ifneq (,$(CROSS))
WARN := -Wall
endif
SANE_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
FUZZ_FLAGS := $(SANE_FLAGS) -fsanitize=fuzzer-no-link
# Nothing is exported: riscv64's linker would ask a loader for two addresses, and there is none.
LDFLAGS := -Wl,--gc-sections,--build-id=none,-z,relro,-z,now,-z,noexecstack,-z,text \
	-Wl,--version-script=vendor/local.map

# A static program at a random address (static-pie) starts as fast as one at a
# fixed address (110 us each) and is 560 bytes larger.  `musl-gcc -static-pie`
# silently makes a dynamic one, so there the start files are named by hand.
ifeq (,$(ALPINE))
crt   = $(shell $(CROSS)gcc -print-file-name=$(1))
BEGIN = -static -nostartfiles -Wl,-pie,--no-dynamic-linker \
	$(MUSL)/rcrt1.o $(MUSL)/crti.o $(call crt,crtbeginS.o)
END   = $(call crt,crtendS.o) $(MUSL)/crtn.o
else
BEGIN = -static-pie
END   =
endif

# ---- build ----

.PHONY: all deps help clean install man unit scenario lint wrap test fuzz bench bench-engines demo interop \
	reproducible dist dist-all release-sums release-check cross container check-static vendor-bump exact

all: $(O)/ghoard ## the program: build/ghoard (default); ARCH=aarch64: build/aarch64/ghoard

deps: ## install what building needs
	$(Q)sh vendor/deps.sh build

# the one that runs here, wanted by another machine's release
ifneq (,$(CROSS))
build/ghoard: FORCE
	+$(Q)$(MAKE) ARCH=$(HERE) build/ghoard
.PHONY: FORCE
endif

$(O)/ghoard: $(O)/ghoard.debug
	$(call say,STRIP,$@)
	$(Q)$(CROSS)strip -s -o $@.new $<
	$(Q)size=$$(wc -c <$@.new); [ $$size -le $(MAX_SIZE) ] || { \
		echo "$@ has $$size bytes, $(MAX_SIZE) are allowed: see what grew" \
			"with 'nm -S --size-sort $<'" >&2; exit 1; }
	$(Q)! readelf -lW $@.new | grep -q INTERP || { echo "$@ asks for a dynamic" \
		"loader: the link did not use rcrt1.o" >&2; exit 1; }
	$(Q)! readelf -rW $@.new | grep -E '^[0-9a-f]{8}' | grep -v _RELATIVE || { echo "$@ asks a loader" \
		" for these addresses, which nobody writes: see vendor/local.map" >&2; exit 1; }
	$(Q)mv $@.new $@

$(O)/ghoard.debug: $(SRC:%.c=$(O)/obj/%.o) $(LIBS:%=$(O)/lib/%.a)
	$(call say,LINK,$(O)/ghoard)
	$(Q)$(MUSL_CC) $(BEGIN) $(LDFLAGS) -o $@ $^ $(END)

# A flavour: folder, compiler, flags of our code, flags of the libraries.
define flavour
$(1)/obj/%.o: %.c $(1)/flags $(UNPACKED)
	$$(call say,CC,$$<$(patsubst build/%, (%),$(filter-out build,$(1))))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(2) $(CPPFLAGS) $(3) $$(DEFINES) -MMD -MP -c -o $$@ $$<

$(1)/lib/%.a: vendor/%.mk vendor/lib.mk $(1)/flags $(UNPACKED)
	+$$(Q)$(MAKE) -f vendor/lib.mk LIB=$$* OUT=$(1)/lib CC='$(2)' \
		AR='$(if $(filter $(O),$(1)),$(CROSS))ar' \
		CFLAGS='$(4)'

# other flags, not any change of this file, rebuild everything
$(1)/flags: Makefile
	$$(Q)mkdir -p $$(@D)
	$$(Q)echo '$(2) $(CPPFLAGS) $(3) / $(4)' | cmp -s - $$@ || \
		echo '$(2) $(CPPFLAGS) $(3) / $(4)' >$$@

$(1)/obj/src/cli/cmd_version.o: Makefile vendor/pins vendor/versions.sh
-include $(patsubst %.c,$(1)/obj/%.d,$(SRC) $(TESTS) $(HELPERS) $(FUZZERS) test/bench/tree.c)
endef

$(eval $(call flavour,$(O),$(MUSL_CC),$(RELEASE_FLAGS) $(WARN),$(RELEASE_FLAGS) -g0))
$(eval $(call flavour,build/asan,$(HOST_CC),$(SANE_FLAGS) -Wall -Wextra,$(SANE_FLAGS)))
$(eval $(call flavour,build/fuzz,$(FUZZ_CC),$(FUZZ_FLAGS) -Wall -Wextra,$(FUZZ_FLAGS)))

# The program with the tests' echo protocol: for test/interop alone.  Two files know of it.
ECHOES := src/cli/cmd_peers.c src/cli/peering.c
$(eval $(call flavour,build/echo,$(MUSL_CC),$(RELEASE_FLAGS) $(WARN) -DGHOARD_ECHO -Itest/interop,\
	$(RELEASE_FLAGS) -g0))

build/ghoard-echo: $(patsubst %.c,build/obj/%.o,$(filter-out $(ECHOES),$(SRC))) \
		$(ECHOES:%.c=build/echo/obj/%.o) build/echo/obj/test/interop/peers/echo.o \
		$(LIBS:%=build/lib/%.a)
	$(call say,LINK,$@)
	$(Q)$(MUSL_CC) $(BEGIN) $(LDFLAGS) -o $@ $^ $(END)

%/src/base/jscan.o %/src/base/jfind.o %/src/base/str.o %/src/base/buf.o %/src/base/siphash.o: DEFINES := -O2
%/src/http/parse.o %/src/http/heads.o: DEFINES := -O2
# the one file that knows the version
%/src/cli/cmd_version.o: DEFINES := -DGHOARD_VERSION='"$(VERSION)"' \
	-DGHOARD_LIBRARIES='"$(shell sh vendor/versions.sh)"'

build/asan/libghoard.a: $(PART:%.c=build/asan/obj/%.o)
build/fuzz/libghoard.a: $(PART:%.c=build/fuzz/obj/%.o)
build/%/libghoard.a:
	$(Q)rm -f $@ && ar rcsD $@ $^

# ---- libraries ----

# musl's own choice of flags is for speed: for size it is 28 KiB smaller, and
# what is called often is assembler.
$(MUSL)/libc.a: $(UNPACKED) vendor/musl.sh | $(CROSS:%-=build/deps/$(ARCH))
	+$(Q)sh vendor/musl.sh $(O)/musl '$(CROSS)gcc' '$(ARCH)' '$(MAKE)'

$(UNPACKED): vendor/pins vendor/fetch.sh | build/deps/build
	$(Q)sh vendor/fetch.sh $(VENDOR)
	$(Q)echo '$(VENDOR)' >$@
# other sources than last time are read again
ifneq (,$(filter-out $(file <$(UNPACKED)),$(VENDOR)))
.PHONY: $(UNPACKED)
endif

build/deps/%: vendor/deps.sh
	$(Q)sh vendor/deps.sh $*
	$(Q)mkdir -p $(@D) && touch $@

# a release is built from what vendor/pins names, to the last revision
exact: $(UNPACKED)
	$(Q)sh vendor/fetch.sh --exact

ifneq (,$(RELEASE))
all: exact
endif

vendor-bump: ## renew vendor/pins from the distribution
	$(Q)sh vendor/fetch.sh --bump

# ---- tests ----

UNITS   := $(TESTS:test/unit/%.c=build/asan/unit/%)
REPLAYS := $(FUZZERS:test/fuzz/%.c=build/asan/replay/%)
chosen   = $(foreach t,$(1),$(if $(T),$(if $(findstring $(T),$(t)),$(t)),$(t)))
SANE    := build/asan/libghoard.a $(LIBS:%=build/asan/lib/%.a)

build/asan/unit/%: build/asan/obj/test/unit/%.o $(HELPERS:%.c=build/asan/obj/%.o) $(SANE)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOST_CC) $(SANE_FLAGS) -o $@ $^ -lcmocka

# For another machine: without sanitizers, and with a cmocka of our own.
ifneq (,$(CROSS))
$(O)/obj/test/unit/%.o: DEFINES := -Itest/cross
$(O)/libghoard.a: $(PART:%.c=$(O)/obj/%.o)
	$(Q)rm -f $@ && $(CROSS)ar rcsD $@ $^
$(O)/unit/%: $(O)/obj/test/unit/%.o $(O)/libghoard.a $(LIBS:%=$(O)/lib/%.a)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(BEGIN) $(LDFLAGS) -o $@ $^ $(END)
# What is known of the machine-dependent, and of bytes that other machines read.  rand_test filters system
# calls, safe_test reads what the kernel says of memory: no emulator has either.
KNOWN := base/% crypto/% github/% p2p/noise% p2p/peerid% p2p/protobuf% codeql/linehash% store/entry%
.PHONY: cross-unit
cross-unit: $(patsubst test/unit/%.c,$(O)/unit/%,$(filter-out %/rand_test.c %/safe_test.c,\
		$(filter $(KNOWN:%=test/unit/%),$(TESTS))))
	$(Q)EMULATOR=qemu-$(QEMU_$(ARCH))-static sh test/unit.sh $^
endif

build/asan/replay/%: build/asan/obj/test/fuzz/%.o build/asan/obj/test/fuzz/replay.o $(SANE)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOST_CC) $(SANE_FLAGS) -o $@ $^

build/fuzz/bin/%: build/fuzz/obj/test/fuzz/%.o build/fuzz/libghoard.a $(LIBS:%=build/fuzz/lib/%.a)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(SANE_FLAGS) -fsanitize=fuzzer -o $@ $^

$(O)/flags: | build/deps/build $(if $(ALPINE),,$(MUSL)/libc.a) $(CROSS:%-=build/deps/$(ARCH))
build/asan/flags: | build/deps/build build/deps/test
build/fuzz/flags: | build/deps/build build/deps/fuzz

# A change of the list rebuilds the environment from nothing.
build/venv: build/venv/ready
build/venv/ready: test/requirements.txt | build/deps/python
	$(call say,VENV,build/venv)
	$(Q)rm -rf build/venv && python3 -m venv build/venv
	$(Q)$(PYTHON) -m pip install -q --disable-pip-version-check -r $< || { echo "pip could" \
		"not install $<; it needs a package index, see above" >&2; exit 1; }
	$(Q)touch $@

unit: $(call chosen,$(UNITS) $(REPLAYS)) ## unit tests under ASan and UBSan; T=http/parse for some
	$(Q)sh test/unit.sh $^

scenario: build/ghoard build/venv/ready ## the real binary against the stand-in GitHub; T=name for some
	$(Q)GHOARD=$(CURDIR)/build/ghoard $(PYTHON) -m pytest -p no:cacheprovider \
		$(if $(T),-k '$(T)') $(PYTEST_FLAGS) test/scenario

lint: build/ghoard build/deps/test ## the rules of src/STYLE.md, src/LAYERS and the man pages
	$(Q)python3 test/lint/selftest.py
	$(Q)CC='$(HOST_CC) $(CPPFLAGS)' python3 test/lint/lint.py

wrap: build/deps/wrap ## break the lines that lint finds too long
	$(Q)python3 test/lint/wrap.py

check-static: build/ghoard ## no loader, small enough, runs in an empty folder
	$(Q)sh test/static.sh build/ghoard $(MAX_SIZE)

test: all build/deps/test ## everything; installs what the tests need
	$(Q)sh test/all.sh $(MAKE)

fuzz: $(FUZZERS:test/fuzz/%.c=build/fuzz/bin/%) ## every parser, FUZZ_SECONDS=5 each
	$(Q)sh test/fuzz/run.sh $(FUZZ_SECONDS) $^

bench: all build/ghoard-echo build/bench/tree build/deps/bench build/venv/ready ## beside others; T=part
	$(Q)sh test/bench/run.sh $(T)

build/bench/tree: build/obj/test/bench/tree.o $(PART:%.c=build/obj/%.o) $(LIBS:%=build/lib/%.a)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(BEGIN) $(LDFLAGS) -o $@ $^ $(END)

bench-engines: build/engines ## how fast the peers' engines move a body, without a socket
	$(Q)./build/engines

build/engines: build/obj/test/bench/engines.o $(PART:%.c=build/obj/%.o) $(LIBS:%=build/lib/%.a)
	$(call say,LINK,$@)
	$(Q)$(MUSL_CC) $(BEGIN) $(LDFLAGS) -o $@ $^ $(END)

demo: all build/deps/demo build/venv/ready ## miss, hit, 304, offline, stats; LIVE=1 asks the real GitHub
	$(Q)$(PYTHON) test/demo.py $(if $(LIVE),--live)

# A program that starts the emulator: no kernel needs to be told how to run another machine's.
cross: build/deps/emulate build/venv/ready ## for aarch64, under qemu-user: known answers, a scenario file
	+$(Q)$(MAKE) ARCH=aarch64 all cross-unit
	$(Q)mkdir -p build/aarch64/emulated
	$(Q)printf '#!/bin/sh\nexec qemu-aarch64-static %s "$$@"\n' $(CURDIR)/build/aarch64/ghoard \
		>build/aarch64/emulated/ghoard
	$(Q)chmod 755 build/aarch64/emulated/ghoard
	$(Q)GHOARD=$(CURDIR)/build/aarch64/emulated/ghoard $(PYTHON) -m pytest -p no:cacheprovider \
		$(PYTEST_FLAGS) test/scenario/test_api_cache.py

container: build/deps/container ## the Dockerfile, twice, on a Debian base; compare and run (root, 5 min)
	$(Q)sh test/container.sh

# The four libp2p nodes take three minutes to build where they are not there yet.
ifneq (0,$(PEERS))
interop: build/ghoard-echo
endif
interop: build/deps/dist
interop: all build/deps/interop build/venv/ready ## real clients and libp2p nodes; PEERS=0: without nodes
	$(Q)GH_CURRENT='$(GH_CURRENT)' PEERS='$(PEERS)' $(PYTHON) test/interop/clients.py
	$(Q)GHOARD=$(CURDIR)/build/ghoard $(PYTHON) -m pytest -p no:cacheprovider $(if $(T),-k '$(T)') \
		$(if $(filter 0,$(PEERS)),--ignore-glob='*/test_peers_*.py') $(PYTEST_FLAGS) test/interop
	+$(Q)$(if $(T),:,$(MAKE) cross)

reproducible: all ## build twice in two folders and compare
	$(Q)sh test/reproducible.sh

# ---- what users get ----

man: build/ghoard ## renew the generated parts of the man pages
	$(Q)sh test/man.sh build/ghoard src/man

ARCHES := x86_64 aarch64 armv7 riscv64
dist: all exact build/ghoard | build/deps/dist build/deps/python ## dist/: program, sources, SBOM; also ARCH=
	$(Q)sh vendor/dist.sh $(VERSION) $(ARCH) $(O)/ghoard build/ghoard

dist-all: ## dist/ for x86_64, aarch64, armv7 and riscv64
	$(Q)rm -rf dist
	+$(Q)for arch in $(ARCHES); do $(MAKE) ARCH=$$arch dist || exit 1; done

release-sums: ## actions/SHA256SUMS, as release.yml will build it: by docker buildx, in the container
	$(Q)sh vendor/release.sh $(VERSION)

release-check: ## what release.yml does: the same once more, in the image that actions/SHA256SUMS names
	$(Q)sh vendor/release.sh $(VERSION) check

install: build/ghoard ## to PREFIX=/usr/local, under DESTDIR=
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5
	$(Q)install -m 755 build/ghoard $(DESTDIR)$(PREFIX)/bin/ghoard
	$(Q)install -m 644 src/man/ghoard.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	$(Q)install -m 644 src/man/ghoard-config.5 $(DESTDIR)$(PREFIX)/share/man/man5/

clean: ## remove build/ and dist/
	$(Q)rm -rf build dist

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r target what; do \
		printf '  make %-13s %s\n' "$$target" "$$what"; done
