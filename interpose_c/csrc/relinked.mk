# libhpool.a: what `hpool cc` links into a program; see relinked/relinked.S.
# Works from any directory: make -f interpose_c/csrc/relinked.mk
CSRC := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
LIB := $(abspath $(CSRC)../lib)
CC ?= gcc
RELINKED_OBJECTS_DIR := $(abspath $(CSRC)../../build/libhpool)
# Name to ask for = number of sites there is room for.
RELINKED_ROOMS := hp_relinked_small=32 hp_relinked=256 hp_relinked_large=4096
RELINKED_OBJECTS := $(foreach room,$(RELINKED_ROOMS),$(RELINKED_OBJECTS_DIR)/$(firstword $(subst =, ,$(room))).o)

.PHONY: relinked
relinked: $(LIB)/libhpool.a

$(LIB)/libhpool.a: $(RELINKED_OBJECTS)
	@mkdir -p $(LIB)
	new=$@.$$$$ && rm -f $$new && $(AR) rcsD $$new $^ && mv $$new $@

$(RELINKED_OBJECTS): $(RELINKED_OBJECTS_DIR)/%.o: $(CSRC)relinked/relinked.S $(CSRC)include/hpool/relinked.h $(CSRC)relinked.mk
	@mkdir -p $(dir $@)
	$(CC) -c -o $@ -DNAME=$* -DROOM=$(patsubst $*=%,%,$(filter $*=%,$(RELINKED_ROOMS))) -I$(CSRC)include $<
