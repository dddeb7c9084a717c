# hpool-loader: the shim with its userland exec loader, freestanding: nothing of libc enters a job.
# Works from any directory: make -f interpose_c/csrc/loader.mk
# PASSTHROUGH=1: without core/, every call native; for tests of the arch layer alone (hpool-loader-bare).
CSRC := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
BIN := $(abspath $(CSRC)../bin)
CC ?= gcc
LOADER_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-stack-protector -mgeneral-regs-only -mcx16 -fPIE -fvisibility=hidden \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fno-strict-aliasing \
	-Wall -Wextra -Werror -I$(CSRC)include -I$(CSRC)../../shadow/api -I$(CSRC)
# At one address in every process (HP_TEXT_BASE): a seccomp filter is inherited, and knows the shim by it.
LOADER_LDFLAGS := -static -no-pie -nostdlib -Wl,-Ttext-segment=0x7ea000000000 -Wl,-z,noexecstack -Wl,-z,norelro -Wl,-z,separate-code -Wl,--build-id=none \
	-Wl,--gc-sections

ifdef PASSTHROUGH
NAME := hpool-loader-bare
BIN := $(abspath $(CSRC)../../build/bare)
LOADER_SOURCES := $(wildcard $(CSRC)arch/x86_64/*.[cS] $(CSRC)front/*.c)
else
NAME := hpool-loader
LOADER_SOURCES := $(wildcard $(CSRC)arch/x86_64/*.[cS] $(CSRC)core/*.c) $(filter-out %/passthrough.c,$(wildcard $(CSRC)front/*.c))
endif
OBJECTS_DIR := $(abspath $(CSRC)../../build)/$(NAME)
LOADER_OBJECTS := $(patsubst $(CSRC)%,$(OBJECTS_DIR)/%.o,$(LOADER_SOURCES))
LOADER_HEADERS := $(wildcard $(CSRC)include/hpool/*.h $(CSRC)arch/x86_64/*.h $(CSRC)front/*.h $(CSRC)core/*.h $(CSRC)../../shadow/api/*.h) \
	$(CSRC)syscalls.def $(CSRC)loader.mk

.PHONY: loader
loader: $(BIN)/$(NAME)

# The symbols stay beside it, for whoever looks at a crash: gdb -s hpool-loader.debug
$(BIN)/$(NAME): $(LOADER_OBJECTS)
	@mkdir -p $(BIN)
	new=$@.$$$$ && $(CC) $(LOADER_LDFLAGS) -o $$new $^ && objcopy --only-keep-debug $$new $(OBJECTS_DIR)/$(NAME).debug && \
	strip $$new && mv $$new $@

$(OBJECTS_DIR)/%.o: $(CSRC)% $(LOADER_HEADERS)
	@mkdir -p $(dir $@)
	$(CC) $(LOADER_CFLAGS) -c -o $@ $<
