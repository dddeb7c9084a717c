# hpool-keeper: PID 1 of a job. Static, since the job's root has no library of ours.
# Works from any directory: make -f interpose_c/csrc/keeper.mk
CSRC := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
BIN := $(abspath $(CSRC)../bin)
OBJECTS_DIR := $(abspath $(CSRC)../../build/keeper)
CC ?= gcc
KEEPER_CFLAGS := -std=gnu11 -O2 -g -I$(CSRC)include -I$(CSRC)../../shadow/api -Wall -Wextra -Werror -fstack-protector-strong -D_FORTIFY_SOURCE=2
KEEPER_SOURCES := main spec control cgroup mounts proc confine filter watch job world init summon tracer tasks calls rules
CHECKPOINT_SOURCES := $(notdir $(basename $(wildcard $(CSRC)checkpoint/*.c)))
KEEPER_OBJECTS := $(KEEPER_SOURCES:%=$(OBJECTS_DIR)/%.o) $(CHECKPOINT_SOURCES:%=$(OBJECTS_DIR)/checkpoint/%.o)

.PHONY: keeper
keeper: $(BIN)/hpool-keeper

$(BIN)/hpool-keeper: $(KEEPER_OBJECTS) | $(BIN)
	$(CC) -static -pthread -Wl,-z,noexecstack -Wl,--gc-sections -o $@.new $^
	mv $@.new $@

$(OBJECTS_DIR)/%.o: $(CSRC)keeper/%.c $(CSRC)keeper/keeper.h $(wildcard $(CSRC)checkpoint/*.h) $(CSRC)keeper/tracer.h $(CSRC)include/hpool/tracer.h $(CSRC)include/hpool/shm.h $(CSRC)syscalls.def $(CSRC)keeper.mk | $(OBJECTS_DIR)
	$(CC) $(KEEPER_CFLAGS) -ffunction-sections -c -o $@ $<

$(BIN) $(OBJECTS_DIR) $(OBJECTS_DIR)/checkpoint:
	mkdir -p $@

$(OBJECTS_DIR)/checkpoint/%.o: $(CSRC)checkpoint/%.c $(wildcard $(CSRC)checkpoint/*.h) $(CSRC)keeper/keeper.h $(CSRC)keeper.mk | $(OBJECTS_DIR)/checkpoint
	$(CC) $(KEEPER_CFLAGS) -ffunction-sections -c -o $@ $<
