# libhpool.a: what `hpool cc` links into a program; see relinked/relinked.S.
# Works from any directory: make -f interpose_c/csrc/relinked.mk
CSRC := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
LIB := $(abspath $(CSRC)../lib)
CC ?= gcc
RELINKED_OBJECTS_DIR := $(abspath $(CSRC)../../build/libhpool)
# Name to ask for = number of sites there is room for.
RELINKED_ROOMS := hp_relinked_small=32 hp_relinked=256 hp_relinked_large=4096
RELINKED_OBJECTS := $(foreach room,$(RELINKED_ROOMS),$(RELINKED_OBJECTS_DIR)/$(firstword $(subst =, ,$(room))).o)

ALONE_SOURCES := $(wildcard $(CSRC)alone/*.c) $(CSRC)alone/entry.S
ALONE_PARTS := $(patsubst $(CSRC)alone/%,$(RELINKED_OBJECTS_DIR)/alone-%.o,$(ALONE_SOURCES))
# One section of text that can be copied anywhere: no calls into libc, no jump tables, no data of its own.
ALONE_FLAGS := -std=gnu11 -O2 -g0 -Wall -Wextra -Werror -ffreestanding -fno-builtin -fPIC -fvisibility=hidden \
	-mgeneral-regs-only -fno-stack-protector -fno-jump-tables -fno-asynchronous-unwind-tables -fcf-protection=none \
	-fno-tree-loop-distribute-patterns -fno-strict-aliasing -Wno-unused-value

.PHONY: relinked
relinked: $(LIB)/libhpool.a

$(LIB)/libhpool.a: $(RELINKED_OBJECTS) $(RELINKED_OBJECTS_DIR)/alone.o
	@mkdir -p $(LIB)
	new=$@.$$$$ && rm -f $$new && $(AR) rcsD $$new $^ && mv $$new $@

$(RELINKED_OBJECTS): $(RELINKED_OBJECTS_DIR)/%.o: $(CSRC)relinked/relinked.S $(CSRC)include/hpool/relinked.h $(CSRC)relinked.mk
	@mkdir -p $(dir $@)
	$(CC) -c -o $@ -DNAME=$* -DROOM=$(patsubst $*=%,%,$(filter $*=%,$(RELINKED_ROOMS))) -I$(CSRC)include $<

$(ALONE_PARTS): $(RELINKED_OBJECTS_DIR)/alone-%.o: $(CSRC)alone/% $(wildcard $(CSRC)alone/*.h) $(CSRC)include/hpool/sum.h $(CSRC)relinked.mk
	@mkdir -p $(dir $@)
	$(CC) -c -o $@ $(ALONE_FLAGS) -I$(CSRC)include $<

# Its names are nobody else's but one: memcpy is libc's own again.
$(RELINKED_OBJECTS_DIR)/alone.o: $(ALONE_PARTS) $(CSRC)alone/alone.lds
	$(LD) -r -T $(CSRC)alone/alone.lds -o $@.all $(ALONE_PARTS)
	objcopy --keep-global-symbol=hp_alone_entry --keep-global-symbol=hp_alone_begin --keep-global-symbol=hp_alone_end $@.all $@
