/* What the handlers share.
 *
 * Rule for the caller's memory: it is touched directly only after the kernel
 * has read or written the same bytes for the same call, so a bad pointer gives
 * EFAULT from the kernel and never a fault in here; else hp_user_read/write.
 */
#ifndef HPOOL_CORE_H
#define HPOOL_CORE_H

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hpool/call.h"
#include "hpool/channel.h"
#include "hpool/sys.h"
#include "hpool/text.h"

#define HP_PATH_MAX 4096u
#define HP_AT_EMPTY_PATH 0x1000
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028 /* Linux 6.12 */
#endif
#define HP_AT_NOFOLLOW 0x100
#define HP_O_CREAT 0100
#define HP_O_EXCL 0200
#define HP_O_TRUNC 01000
#define HP_O_APPEND 02000
#define HP_O_DSYNC 010000 /* O_SYNC has it too */
#define HP_O_DIRECTORY 0200000
#define HP_O_NOFOLLOW 0400000
#define HP_O_NOATIME 01000000
#define HP_O_PATH 010000000
#define HP_O_TMPFILE_BIT 020000000
#define HP_O_CLOEXEC 02000000

/* asm/stat.h's struct stat for x86-64. */
struct hp_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	uint64_t atime_s, atime_ns, mtime_s, mtime_ns, ctime_s, ctime_ns;
	int64_t unused[3];
};
_Static_assert(sizeof(struct hp_stat) == 144, "struct stat");

/* May a descriptor with these flags (F_GETFL) be read, or written? With access mode 3 neither. */
static inline bool hp_flags_read(long flags)
{
	return !(flags & HP_O_PATH) && ((flags & 3) == 0 || (flags & 3) == 2);
}
static inline bool hp_flags_write(long flags)
{
	return !(flags & HP_O_PATH) && ((flags & 3) == 1 || (flags & 3) == 2);
}

/* ---- fault.c ---- */
struct hp_ask {
	uint16_t op, flags;
	uint64_t base, base2;
	int64_t arg[8];
	const void *data1, *data2;
	uint32_t len1, len2;
	uint64_t value[4];
	void *reply; /* where reply data goes, at most `room` bytes */
	uint32_t room, reply_len;
};
int64_t hp_ask(struct hp_ask *ask);

/* A name as the starter wants it: (base, path). Valid while `text` lives. */
struct hp_where {
	uint64_t base;
	const char *path;
	uint32_t length;
	bool foreign; /* neither home's nor /tmp: /proc, /dev, ... */
	char text[2 * HP_PATH_MAX];
};
void hp_locate(int dirfd, const char *path, struct hp_where *where);
/* For what is done to the name, not to the object that it leads to. */
void hp_locate_name(int dirfd, const char *path, struct hp_where *where);

/* After a native call on (dirfd, path) gave `error`: true if the call should be
 * made again, else *result is what the caller gets. */
bool hp_fault(int dirfd, const char *path, long error, enum hp_want want, bool nofollow, long *result);
/* ENOENT that needs no question: the directory's names are all known. */
bool hp_surely_absent(int dirfd, const char *path);

/* ---- absence.c ---- */
struct hp_moment {
	uint64_t listings, moves;
};
/* To be taken before the native call. */
static inline struct hp_moment hp_moment_now(void)
{
	return (struct hp_moment){ __atomic_load_n(&hp_channel->listings, __ATOMIC_ACQUIRE),
				   __atomic_load_n(&hp_channel->moves, __ATOMIC_ACQUIRE) };
}
#define HP_PARENTS 128u /* a power of two */
#define HP_PARENT_TEXT 100u
extern struct hp_parent {
	uint32_t sequence; /* odd while it is written */
	uint32_t place;
	uint64_t moves, inode;
	uint32_t length;
	char text[HP_PARENT_TEXT];
} hp_parents[HP_PARENTS];
/* After the native call gave ENOENT: final, and found out cheaply. */
bool hp_known_absent(int dirfd, const char *path, const struct hp_moment *before);
void hp_place_changed(void);
/* Somebody watches names from now on: what the job changes has to be heard, what the engine does not. */
void hp_watches(void);

/* ---- attributes.c ---- */
/* What home says of a mirror inode; false: the object is local. */
bool hp_home_attr(uint64_t inode, struct hp_attr_entry *entry);
bool hp_is_home(uint64_t dev, uint64_t inode);
/* Home's answer over the kernel's. False, if `seen`: the mirror's times are not those that the engine has recorded. Either
 * the job has written, or content was coming in between the two looks: the kernel is to be asked again, and the
 * same `*seen`, at first HP_SEEN_NONE, to be given. */
#define HP_SEEN_NONE 1u
bool hp_overlay(struct hp_stat *stat, uint32_t *seen);
long hp_stat_path(int dirfd, const char *path, struct hp_stat *stat, int flags);
/* Where `path`, which the kernel has read, means a process's program, *stat becomes the program's. */
long hp_stat_program(const char *path, struct hp_stat *stat);

/* ---- descriptors.c ---- */
#define HP_FDS 65536
extern uint32_t hp_fd_kinds[HP_FDS];
#define HP_FD_PLAIN 1u
#define HP_FD_FILE 16u /* HP_FD_FILE + number */
#define HP_FD_APPEND 0x80000000u /* set on top: opened with O_APPEND */
uint32_t hp_fd_kind(int fd);
void hp_fd_forget(int fd);
void hp_fd_set(int fd, uint32_t kind);
/* What to set for a descriptor just opened with `flags`. */
static inline uint32_t hp_fd_file_kind(uint32_t file, uint64_t flags)
{
	return (HP_FD_FILE + file) | (flags & HP_O_APPEND ? HP_FD_APPEND : 0);
}
/* The file has a number since: descriptors that seemed plain are looked at again. */
void hp_fd_numbered(int fd, uint32_t number);
/* The file's entry if the descriptor is one that needs care, else NULL. */
struct hp_file *hp_fd_file(int fd);
/* The file's entry if some of its blocks may be missing, else NULL. */
struct hp_file *hp_fd_blocks(int fd);
/* Do writes through it go to the end of the file, whatever their offset? */
bool hp_fd_appends(int fd);
long hp_fd_append(int fd);

/* ---- opening.c ---- */
bool hp_owns(int fd);

/* ---- reading.c ---- */
#define HP_RWF_DONTCACHE 0x80 /* newer than the headers */
/* Takes out flags of preadv2 and pwritev2 that the mirror's file system refuses and home's takes: it never waits
 * for a disk, and is nothing but cache. Was there any? */
bool hp_drop_advice(struct hp_call *call, long flags);
/* Until hp_release the blocks of [offset, offset + length) stay present. 0 or -errno. */
long hp_hold(struct hp_file *file, uint64_t offset, uint64_t length);
void hp_release(struct hp_file *file);
/* Bytes that an iovec array names, at most 0x7ffff000; -1: the kernel will refuse it. */
long hp_vector_length(long user, long count);

/* ---- writing.c ---- */
/* Makes the call, which writes at most `length` bytes to `output` at `at` (< 0: at its
 * position), with the blocks it touches present, and notes what it wrote. */
long hp_write_noted(struct hp_call *call, struct hp_file *file, int output, long length, int64_t at);
/* The same; -ENOSPC if the mirror is full. Whoever holds another file lets go of it before he asks for room, which may
 * be all there is to give up. */
#define HP_ROOM_ROUNDS 100
long hp_write_once(struct hp_call *call, struct hp_file *file, int output, long length, int64_t at);
long hp_ask_room(long bytes);
void hp_ring(struct hp_file *file); /* the starter is to look at it */
/* errno of a write that failed at home, told once. */
int hp_lost_write(struct hp_file *file);
long hp_sync_file(struct hp_file *file); /* NULL: everything */

/* ---- sizes.c ---- */
bool hp_too_large(int64_t size, int dirfd, const char *path);

/* ---- seen.c ---- */
enum hp_word { HP_WORD_START, HP_WORD_ASKED, HP_WORD_TRIPS }; /* of hp_thread_words() */

/* ---- special.c ---- */
/* Memory of a process, by /proc. */
bool hp_is_memory(const char *path);
/* /proc/.../exe: what the program should find there, or NULL. */
const char *hp_exe_alias(const char *path, char *room, unsigned size);
long hp_new_mode(long mode); /* with the umask, for home to apply */

/* ---- small things ---- */
static inline size_t hp_strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

static inline bool hp_starts(const char *text, const char *with)
{
	while (*with)
		if (*text++ != *with++)
			return false;
	return true;
}

static inline bool hp_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

#endif
