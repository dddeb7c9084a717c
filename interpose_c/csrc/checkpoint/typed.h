/* What was typed into a terminal and nobody has read: typed.c. */
#ifndef HPOOL_CHECKPOINT_TYPED_H
#define HPOOL_CHECKPOINT_TYPED_H

#include <stdbool.h>
#include <stdint.h>

#define HP_TYPED_MOST (1u << 16)

struct hp_typed {
	unsigned count;
	uint8_t keys[HP_TYPED_MOST];
};

/* All of it; nobody else reads meanwhile. False: there is more, or it is no terminal. */
bool hp_typed_take(int slave, struct hp_typed *);

/* In the mode that the terminal has by now, whose output goes on; nobody types or reads meanwhile. */
bool hp_typed_put(int master, int slave, const struct hp_typed *);

#endif
