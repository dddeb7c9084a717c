/* The table of what a restored process's shim must not remember: forget.h. */
#include "core.h"
#include "hpool/forget.h"

extern const char hp_exe_text[];

/* Nobody in here refers to it. */
__attribute__((used, retain)) const struct hp_forget hp_forget = {
	.magic = HP_FORGET_MAGIC,
	.exe = hp_exe_text,
	.of = { { hp_fd_kinds, sizeof hp_fd_kinds }, { hp_parents, sizeof hp_parents } },
};
