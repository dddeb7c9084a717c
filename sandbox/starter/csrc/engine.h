/* The starter's engine: the mirror of one job and everything that fills it.
 *
 * Owns the job's mirror (a directory tree), the memory shared with the shim,
 * the threads that answer it, and what has to travel home. Leaves the wire to
 * its caller: batches of home_wire.h records go out through hp_engine_next and
 * come in through hp_engine_feed, on two lanes.
 */
#ifndef HPOOL_ENGINE_H
#define HPOOL_ENGINE_H

#include <stddef.h>
#include <stdint.h>

typedef struct hp_engine hp_engine;

struct hp_engine_config {
	int root_fd;             /* O_PATH directory: the empty mirror */
	int loader_fd;           /* the shim's loader, copied to HP_LOADER_PATH */
	int cache_fd;            /* directory of the digest cache, or -1 */
	int network;             /* the job has one beyond its own loopback */
	int strict;              /* fsync waits for home */
	uint32_t ngroups;
	uint64_t mirror_bytes;   /* size the mirror's file system was given */
	int64_t clock_offset_ns; /* home's clock minus ours */
	const uint32_t *groups;  /* the submitter's supplementary groups */
};

struct hp_engine_stats {
	uint64_t faults;      /* requests of the shim that the engine answered */
	uint64_t round_trips; /* times a request of the job waited for home */
	uint64_t wait_ns;     /* how long, summed over threads */
	uint64_t bytes_in, bytes_out; /* records from and to home */
	uint64_t bytes_read, bytes_written; /* file content from and to home */
	uint64_t names;       /* names in the mirror */
	uint64_t evicted_bytes;
	uint64_t cache_hits;  /* files taken from the digest cache */
	uint64_t calls;       /* of the job's that could have needed home; of killed threads not the last ones */
	uint64_t asked;       /* of them, those that waited for it */
	uint64_t operations;  /* requests sent home */
	uint64_t waits[10], waited_ns[10]; /* by enum hp_wait_kind */
};

enum { HP_LANE_WAIT = 0, HP_LANE_BULK = 1, HP_LANES = 2 };

hp_engine *hp_engine_create(const struct hp_engine_config *config, char *error, size_t room);
long hp_engine_next(hp_engine *, int lane, uint8_t *buffer, size_t room, int timeout_ms);
void hp_engine_nudge(hp_engine *, int lane); /* ends a wait in it */
int hp_engine_feed(hp_engine *, int lane, const uint8_t *bytes, size_t length);
int hp_engine_prepare(hp_engine *, const char *path, int want);
int hp_engine_barrier(hp_engine *);
int hp_engine_epoch(hp_engine *, uint64_t number);
void hp_engine_await_synced(hp_engine *); /* until home has done what others may hear of only then */
long hp_engine_lost(hp_engine *, char *buffer,
		    size_t room); /* the first change that home refused afterwards, in words */
void hp_engine_stats(hp_engine *, struct hp_engine_stats *);
long hp_engine_note(hp_engine *, char *buffer, size_t room, int timeout_ms);
void hp_engine_end_notes(hp_engine *);
uint64_t hp_engine_observe(hp_engine *, int on);
long hp_engine_seen(hp_engine *, uint8_t *buffer, size_t room, uint64_t *next, uint64_t *lost);
long hp_engine_remembered(hp_engine *, char *buffer, size_t room); /* bytes of it, also when there is less room */
/* `pack`: what hp_engine_pack wrote in a former run, or nothing. */
void hp_engine_recall(hp_engine *, const char *text, size_t length, const uint8_t *pack, size_t pack_length);
void hp_engine_await_recalled(hp_engine *);
long hp_engine_pack(hp_engine *, int fd);

/* Blocks of large files that former runs have left (kept.c). A question: `count` 0: which are there? a bit for
 * each block; else their bytes. Answered once, by what it is asked for or nothing. */
struct hp_kept_file {
	uint64_t dev, ino, size;
	int64_t mtime_s, ctime_s;
	uint32_t mtime_ns, ctime_ns;
	uint64_t blocks;
	char path[4096];
};
struct hp_kept_question {
	uint64_t id, first, count;
	struct hp_kept_file file;
};
void hp_engine_kept_begin(hp_engine *); /* somebody will ask for questions */
int hp_engine_kept_next(hp_engine *, struct hp_kept_question *, int timeout_ms); /* 1; 0: none; -1: no more */
void hp_engine_kept_answer(hp_engine *, uint64_t id, const uint8_t *bytes, size_t length);
void hp_engine_kept_end(hp_engine *);
/* The next file worth keeping, and which blocks of it are here: 1 with a descriptor (the caller's), 0 none left. */
int hp_engine_keepable(hp_engine *, struct hp_kept_file *, uint8_t *present, size_t room, int *fd);

long hp_engine_costs(hp_engine *, char *buffer, size_t room); /* as remembered */
int hp_engine_uncached(hp_engine *, uint8_t digest[32], int *fd);
void hp_engine_fail(hp_engine *, int error);
void hp_engine_close(hp_engine *); /* hp_engine_next returns -1 from now on; nothing is freed */
void hp_engine_stop(hp_engine *);  /* after the lanes' threads have left */

#endif
