/* What the job waited for: sums by kind, and a bounded table by path and call. */
#ifndef HPOOL_COSTS_H
#define HPOOL_COSTS_H

#include <stdint.h>

enum hp_wait_kind { /* the words are in sandbox/starter/costs.py, in this order */
		    HP_WAIT_NAMES,      /* whether there is such a name, and what it stands for */
		    HP_WAIT_LISTINGS,   /* all names of a directory */
		    HP_WAIT_CONTENT,    /* bytes of a file, with its name if that was not known */
		    HP_WAIT_ATTRIBUTES, /* looked at or changed, sizes included */
		    HP_WAIT_CHANGES,    /* names made, moved, removed */
		    HP_WAIT_LOCKS,
		    HP_WAIT_SYNC,       /* until home has what was written */
		    HP_WAIT_NEWS,       /* what others changed, before the job goes on */
		    HP_WAIT_START,      /* before the job's first instruction */
		    HP_WAIT_END,        /* after its last */
		    HP_WAIT_KINDS,
};

/* Calls are the shim's requests (enum hp_request_op), and these. */
enum { HP_COST_START = 200, HP_COST_END, HP_COST_WRITE, HP_COST_OTHER };

#define HP_COST_SETS 64u
#define HP_COST_WAYS 8u

struct hp_cost {
	char *path; /* NULL: free */
	uint32_t call;
	uint64_t waits, wait_ns, bytes_in, bytes_out;
};

struct hp_costs {
	struct hp_cost table[HP_COST_SETS * HP_COST_WAYS];
	struct hp_cost others; /* what made room */
};

#endif
