/* Files and their names, as the engine remembers them. */
#ifndef HPOOL_ENGINE_OBJECTS_H
#define HPOOL_ENGINE_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "extended.h"
#include "hpool/shm.h"

enum hp_kind { HP_DIR, HP_FILE_KIND, HP_SYMLINK, HP_FIFO, HP_OTHER };
enum hp_content { HP_CONTENT_NONE, HP_CONTENT_WHOLE, HP_CONTENT_BLOCKS };

struct hp_range {
	uint64_t low, high;
};

/* A file, whatever its names. */
struct hp_object {
	struct hp_object *next_by_inode, *next_by_home;
	uint64_t inode; /* in the mirror */
	enum hp_kind kind;
	struct hpw_attr attr;
	struct timespec local_mtime;
	struct hp_name *name; /* directories: the only one; files: one of those left, or NULL */
	struct hp_name *children; /* directories */
	uint64_t above; /* a directory without a name: the mirror's inode of the one it was in, for ".." */
	char *target;
	unsigned names;
	bool is_root;
	bool local;   /* directory of the sandbox's own: /tmp, /proc, ... */
	bool known;  /* all its names are in the tree, though some are only offers */
	bool listed; /* and all of them in the mirror */
	unsigned offers; /* names below that are offers */
	bool has_links; /* symlinks are, or were, among its names in the mirror */
	bool misled; /* the last listing was of another directory */
	bool was_listed; /* before a change at home; again when `unsure` is 0 */
	unsigned unsure; /* names whose answer is on its way */
	unsigned misses;
	unsigned small_reads; /* directories: of files in it */
	unsigned beside;      /* how many others came along last time */
	bool small_asked;     /* it is small: all its names were asked for with the first */
	bool walked;          /* the job reads it */
	bool ahead;           /* its names were asked for before the job did, and it has not come yet */
	bool with_content;    /* and its small files with them */
	enum hp_content content;
	bool filling; /* content on its way */
	bool unasked; /* its content came beside another's; until the job reads it the mirror's atime is 0 */
	bool plain_seen; /* was readable before it had a number: never evict blocks from it */
	mode_t granted;  /* to the creator of a file whose mode would refuse him, until his open is done */
	bool opened_writable; /* the mirror's inode may be opened for writing */
	bool written;    /* data or size changed by the job: home's mtime is to be set */
	uint64_t nameless; /* made by O_TMPFILE and not linked yet: number of its private name */
	bool unlinkable; /* O_TMPFILE with O_EXCL: never gets a name */
	bool orphan;     /* no name at home either: nothing need travel there any more */
	bool own;        /* made by this job under the name it has, which nobody else can have waited for */
	unsigned behind; /* attributes on their way that nobody waits for: until then what we foresaw is the truth */
	unsigned naming; /* directories: names on their way, and with them its times */
	bool awaiting; /* directories: what home says next of its times is of the last change that was foretold */
	bool foretold; /* `attr` has the ctime that we foresaw (of directories also the mtime); home's is this one,
			* and the same change: */
	int64_t home_ctime_s;
	uint32_t home_ctime_ns;
	struct hp_pool *pool; /* directories: files to be */
	unsigned creates;     /* directories: plain ones that had to wait */
	uint32_t file;   /* number in channel->files, 0 none */
	int fd;          /* read-write descriptor of the mirror's inode, -1 none; kept while file != 0 */
	uint64_t handle; /* at home, 0 none */
	bool handle_writable;
	uint64_t home_size; /* bytes that home had when last heard of; blocks beyond are never missing */
	uint8_t *present; /* bitmap, BLOCKS only */
	uint8_t *asked;   /* bitmap of blocks on their way */
	uint64_t blocks;
	uint8_t *kept; /* bitmap of blocks that a former run has left here, of the content of `kept_generation` */
	uint64_t kept_generation;
	bool kept_asked, kept_over; /* which there are; what there is to keep now has been told */
	uint64_t generation; /* of the content: what was asked for an older one is not taken */
	uint64_t next_expected; /* where a sequential reader comes next */
	uint64_t window; /* read-ahead, bytes */
	struct hp_stride {
		uint64_t from; /* the last place that was asked for */
		int64_t step; /* from the one before it */
		uint64_t ahead; /* places foretold; 0: no step is known */
	} stride;
	unsigned strays; /* reads here and there that waited */
	uint64_t stream_at; /* block up to which all of it was asked for, when that is what is done */
	uint64_t stream_done; /* and has come */
	uint64_t stream_window; /* blocks on their way at most */
	uint64_t
		names_synced; /* directory: 1 + what names_altered was when home was told to sync its names; 0: never */
	uint64_t names_synced_by; /* and what ordered_done is then, once that is done */
	bool streaming;
	uint64_t ahead_to; /* block before which all was asked for by it */
	unsigned mapped; /* ranges mapped by the job: blocks stay, until hp_mapped_over */
	bool executed; /* and the loader may map it at any time */
	struct hp_range *shared; /* shared writable mappings: dirty until the end */
	unsigned nshared;
	uint64_t *sums; /* of the blocks of shared mappings, as home has them; 0 not known */
	uint64_t nsums;
	uint8_t *digest; /* sha256 of home's content, if a bundle told */
	struct hp_object *next_with_digest;
	bool bundled, cached, takes_gs;
	unsigned in_flight; /* what is not yet answered, WRITE above all */
	unsigned bulk; /* those of it in the bulk lane; then all of it is */
	uint64_t bulk_answered; /* number of the last request when the bulk lane answered last */
	bool collecting; /* a thread takes what is dirty */
	int fill_error;
	struct timespec sent_mtime; /* mtime seen just before data was last read to be sent */
	int error; /* first error at home: the job has not succeeded */
	bool appends; /* some descriptor of the job has O_APPEND */
	uint64_t append_noted; /* up to here writes were over: what lies behind may be half a line */
	uint64_t append_from; /* the mirror's bytes from here on are to go to home's end */
	uint64_t append_sure; /* those before this one lie at home where they lie here */
	struct hp_range deferred; /* written between the two: sent when it is known where that lies */
	bool mixed; /* others appended between ours: the mirror's order is not home's */
	struct hp_locks *locks;
	uint64_t touched; /* the last request that had it in hand */
	struct hp_extended extended;
};

/* Who may hold an object in hand while he waits: requests up to `quiet` are over. */
struct hp_serving {
	uint64_t serial, quiet;
	unsigned now; /* requests being answered */
	unsigned numbered; /* files, so far */
	bool forsaken; /* files to be looked at when nobody holds any */
};

/* What a listing said of a name that the mirror does not have yet. Most names
 * of a directory are never used, and making one costs a few system calls. */
struct hp_offer {
	struct hpw_attr attr;
	uint32_t target_length;
	char target[];
};

/* A name in a directory. object NULL: known not to exist, unless `unknown` or
 * an offer. */
struct hp_name {
	struct hp_name *next_in_table, *next_in_parent, *previous_in_parent;
	struct hp_object *parent, *object;
	struct hp_name *next_of_object; /* further names of the same file */
	struct hp_offer *offer;
	uint32_t hash;
	uint16_t length;
	bool unknown;
	bool doubtful; /* news came of it while it changed: to be asked for afterwards */
	unsigned behind; /* changes on their way: what home says of it meanwhile is of before */
	char text[];
};

#endif
