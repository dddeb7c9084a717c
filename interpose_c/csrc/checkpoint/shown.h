/* What a terminal has shown and nobody has read, and whether it may show more: shown.c. */
#ifndef HPOOL_CHECKPOINT_SHOWN_H
#define HPOOL_CHECKPOINT_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#define HP_SHOWN_MOST (1u << 16)

struct hp_shown {
	unsigned count;
	uint8_t bytes[HP_SHOWN_MOST];
};

/* Output that has been stopped: by the key (Ctrl-S), by tcflow(3). */
enum hp_flow { HP_FLOWS, HP_FLOW_KEY, HP_FLOW_CALL };

/* All of it, and output goes on meanwhile: *flow is how it had been stopped. Nobody else reads or writes.
 * The slave's descriptor does not wait. */
bool hp_shown_take(int master, int slave, struct hp_shown *, enum hp_flow *flow);

/* Of a terminal that somebody reads all the time. */
bool hp_shown_let_flow(int slave, enum hp_flow *flow);

/* Where output goes on, and nothing is to be read. */
bool hp_shown_put(int master, int slave, const struct hp_shown *);

/* The last thing done. */
bool hp_shown_stop(int master, int slave, enum hp_flow);

#endif
