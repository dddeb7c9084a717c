/* The starter's engine, asked as the shim asks it (PROTOCOL.md), by who dumps and who restores.
 *
 * Both stand in the job's world, where the channel's files are. A world without them is one where every call
 * is native: then nothing here has anything to say.
 */
#ifndef HPOOL_CHECKPOINT_HOME_H
#define HPOOL_CHECKPOINT_HOME_H

#include "checkpoint.h"
#include "hpool/shm.h"

struct hp_question {
	uint16_t op;
	uint64_t base;
	const char *path; /* or NULL */
	int64_t arg[8];
	uint64_t value[4]; /* of the answer */
	char *reply; /* or NULL; `room` bytes, of which the last stays 0 */
	size_t room;
};

/* Maps channel and attributes; false: there are none. Again and again costs nothing. */
bool hp_home_is_there(void);
/* HP_RETRY, HP_LOCAL, 0 or -errno. */
int64_t hp_home_ask(struct hp_question *);
/* Is this one of home's, and what does the starter say of it? */
bool hp_home_object(uint64_t device, uint64_t inode, struct hp_attr_entry *);
/* A path that home has for it. */
bool hp_home_path(uint64_t inode, char *path, size_t room);
/* Does it belong to the mirror at all? */
bool hp_home_mirrors(uint64_t device);
/* What another process of this number is, for /proc/PID/exe. */
void hp_home_publish(int32_t pid, const char *exe);
/* Somebody opened a file with O_SYNC or O_DSYNC. */
void hp_home_syncs(void);
/* Somebody watches names. */
void hp_home_watches(void);
bool hp_home_is_watched(void); /* perhaps, where there is no home */

#endif
