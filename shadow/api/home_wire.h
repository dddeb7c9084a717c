/* The file service between starter and shadow: flat, fixed-width operations.
 *
 * One gRPC message (a protobuf message with one `bytes` field, see home.proto)
 * holds a batch: whole records one after the other, little endian, each a
 * multiple of 8 bytes long. A request is answered by one or more replies that
 * carry its id; all but the last have HPW_MORE set. errno is data: a gRPC
 * status means that hpool itself failed, and so does a malformed record: it
 * ends the session and harms nothing else.
 *
 * Paths are absolute paths at home, raw bytes without NUL, followed there
 * component by component from held directory handles and never through `..`
 * tricks or magic links. "canonical" below means: no symlink left in it as
 * far as home knows at that moment.
 *
 * Handles are numbers chosen by the starter, never reused within a session.
 */
#ifndef HPOOL_HOME_WIRE_H
#define HPOOL_HOME_WIRE_H

#include <stdint.h>

#define HPW_ALIGN(n) (((n) + 7u) & ~7u)
#define HPW_MAX_RECORD (4u << 20) /* a longer one is malformed */
#define HPW_MAX_READ (1u << 20)   /* bytes asked for in one READ */
#define HPW_MAX_PATH 65536u       /* longer than PATH_MAX on purpose: trees may be deep */
#define HPW_MAX_XATTR 65536u

/* What home knows of one file. Times in ns parts as struct stat has them. */
struct hpw_attr {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid;
	uint32_t access; /* R_OK|W_OK|X_OK this job would get: user's rights and sharing policy */
	uint64_t rdev, size, blocks;
	uint32_t blksize, sure; /* enum hpw_sure: what may be foreseen of it */
	int64_t atime_s, mtime_s, ctime_s, btime_s;
	uint32_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	uint64_t fsid; /* reserved: 0 */
};
_Static_assert(sizeof(struct hpw_attr) == 128, "attr");

/* Promises that let the starter answer a change before home has made it. */
enum hpw_sure {
	HPW_SURE_CHANGES = 1, /* shared for writing, on a file system that keeps what Linux has: what its owner and
		       * the permission bits allow succeeds, unless space lacks or hardware fails */
	HPW_SURE_NAMES = 2, /* a directory, and besides: watched, and no rule of the policy names anything below */
	HPW_SURE_ANY_MODE = 4, /* besides: the permission bits do not bind this user (root) */
};

/* A umask has no say where the directory has a default ACL (acl(5)): home knows that. */
#define HPW_UMASK_SHIFT 16

/* Header of every request. `size` counts the header and is a multiple of 8. */
struct hpw_request {
	uint32_t size;
	uint16_t op;
	uint16_t flags;
	uint64_t id;     /* grows within a session; a repeated id is answered from the reply cache */
	uint64_t handle; /* 0: none */
	uint64_t offset;
	uint64_t length; /* bytes, size or another count: see the operation */
	uint32_t mode;   /* permission bits; of what is made, also the umask from HPW_UMASK_SHIFT on; or a mask */
	uint32_t arg;    /* see the operation */
	uint32_t len1;   /* bytes of the first string after this header */
	uint32_t len2;   /* bytes of the second string, directly behind the first */
};
_Static_assert(sizeof(struct hpw_request) == 56, "request");

struct hpw_reply {
	uint32_t size;
	uint16_t op;
	uint16_t flags; /* HPW_MORE */
	uint64_t id;
	int32_t error;  /* 0 or a positive errno */
	uint32_t count; /* entries behind this header, or bytes of data */
};
_Static_assert(sizeof(struct hpw_reply) == 24, "reply");

/* One name and what it stands for. Behind it: path, target, content, digest;
 * then padding to 8. */
struct hpw_entry {
	uint32_t size;        /* of the whole entry with its strings and padding */
	uint32_t flags;       /* HPW_E_* */
	uint32_t path_len;    /* canonical path; in LIST: the bare name */
	uint32_t target_len;  /* symlink text */
	uint32_t content_len; /* whole content of a small regular file, if HPW_E_CONTENT */
	uint32_t digest_len;  /* sha256 of the content (BUNDLE): 32 or 0 */
	struct hpw_attr attr;
};
_Static_assert(sizeof(struct hpw_entry) == 152, "entry");

enum hpw_entry_flags {
	HPW_E_CONTENT = 1, /* content is whole: attr.size bytes follow (may be 0) */
	HPW_E_ABSENT = 2,  /* this canonical path is known not to exist; attr is zero */
	HPW_E_SELF = 4,    /* LIST: the directory itself, path is its canonical path */
	HPW_E_PARENT = 8,  /* attributes of a parent directory after a change; path canonical */
	HPW_E_COMPLETE = 16, /* LIST, on the last record: every name was sent */
	HPW_E_TAKES_GS = 32, /* BUNDLE, on the program: its code, or that of a library of it, writes %gs */
};

enum hpw_flags {
	HPW_MORE = 1,
	HPW_NOFOLLOW = 2, /* the last component is not followed if it is a symlink */
	HPW_CONTENT = 4,  /* send content of a regular file of at most `length` bytes along */
	HPW_LISTING = 8,  /* if the last component is a directory, behave as LIST afterwards (replies with op LIST) */
	HPW_EXPECT = 32, /* by path, of attributes: it is to be inode `offset`, else ESTALE */
	HPW_AT_END = 16, /* WRITE: behind whatever the file holds by then, in one piece; `offset` is not looked at */
};

enum hpw_op {
	/* Names. Safe to repeat. */
	HPW_RESOLVE = 1, /* string1 path; length = inline limit; flags NOFOLLOW CONTENT LISTING.
	                  * Entries in walk order: every component visited (root included) with its
	                  * canonical path and attributes, symlinks with their text followed by what
	                  * they lead through. error: that of the step that failed (ENOENT with a
	                  * last entry ABSENT, EACCES, ENOTDIR, ELOOP, ENAMETOOLONG). */
	HPW_LIST = 2,    /* string1 canonical directory path. First entry SELF, then one per name
	                  * ("." and ".." left out), symlinks with text; several replies when long.
	                  * length = inline limit if flag CONTENT: small regular files come along while
	                  * `mode` (a budget in bytes) lasts. */
	HPW_STATFS = 3,  /* string1 path. Reply data: struct statfs (120 bytes of the kernel's x86-64 shape) */
	HPW_BUNDLE = 4,  /* string1 path of a program. Entries as RESOLVE for the program, its ELF
	                  * interpreter and library closure, /etc/ld.so.cache; regular files carry a
	                  * digest. Answered by the shadow outside the C core. */

	/* Files by handle. */
	HPW_OPEN = 10,   /* string1 canonical path (never followed); arg = Linux O_* of
	                  * {O_RDONLY O_WRONLY O_RDWR O_CREAT O_EXCL O_TRUNC O_DIRECTORY}; mode; handle = new number;
	                  * CONTENT and length as RESOLVE. Entries: the file, then its parent (PARENT) when
	                  * O_CREAT was given. Created with exactly `mode`. FIFOs, devices, sockets: ENXIO. */
	HPW_CLOSE = 11,  /* forget the handle; error: that of close */
	HPW_READ = 12,   /* offset, length <= HPW_MAX_READ; reply data, short at end of file */
	HPW_WRITE = 13,  /* offset; string1 = the bytes. All or an error. Safe to repeat. With AT_END: reply data =
	                  * where they begin now (8 bytes); a repeated id is answered from the reply cache */
	HPW_TRUNCATE = 14, /* length = new size. Entry: the file */
	HPW_ALLOCATE = 15, /* offset, length, arg = fallocate mode. Entry: the file */
	HPW_FSYNC = 16,
	HPW_TMPFILE = 17, /* string1 canonical directory path; mode; handle; as O_TMPFILE|O_RDWR. Entry: the file */
	HPW_LINKFILE = 18, /* handle -> string1 canonical path: gives an O_TMPFILE file a name. Entries: file, parent.
	                    * string2 (or none): struct hpw_attr, whose atime and mtime it is given first. arg O_TRUNC,
	                    * O_CREAT: if the name is taken after all, that file is emptied (O_TRUNC) and the handle stands
	                    * for it from then on */

	/* Attributes: by handle if it is not 0, else by string1 (path, last component followed
	 * unless NOFOLLOW). Entry: the file with its new attributes. */
	HPW_GETATTR = 20, /* as SETATTR without a symlink's text */
	HPW_SETATTR = 21, /* mode = HPW_SET_*; string2 = struct hpw_attr with the values */
	HPW_GETXATTR = 22, /* string2 name; length = room. Reply data */
	HPW_SETXATTR = 23, /* string2 name, NUL, value; arg = flags */
	HPW_LISTXATTR = 24, /* length = room. Reply data */
	HPW_REMOVEXATTR = 25, /* string2 name */

	/* Name changes: canonical paths, last component never followed. Each reply holds the
	 * entries of what changed and (PARENT) of each parent directory touched. */
	HPW_MKDIR = 30, /* string1; mode */
	HPW_RMDIR = 31, /* string1 */
	HPW_UNLINK = 32, /* string1. Entry of the file if other names are left */
	HPW_RENAME = 33, /* string1 -> string2; arg = RENAME_* flags */
	HPW_LINK = 34, /* string1 existing -> string2 new */
	HPW_SYMLINK = 35, /* string1 new name; string2 = text */
	HPW_MKNOD = 36, /* string1; mode with type (S_IFREG, S_IFIFO, S_IFSOCK; devices: EPERM) */

	/* Locks, held by the handle's open file at home; owner = offset. */
	HPW_FLOCK = 40, /* handle; arg = LOCK_SH|LOCK_EX|LOCK_UN [|LOCK_NB]; without NB the reply waits */
	HPW_FCNTL_LOCK = 41, /* handle; mode = F_RDLCK|F_WRLCK|F_UNLCK; arg = F_OFD_SETLK|F_OFD_SETLKW|F_OFD_GETLK;
	                      * offset, length (0: to the end). GETLK: reply data = struct flock */

	/* The kernel's write lease on a handle that is open for both (arg 1), or its end (arg 0). EAGAIN: somebody
	 * else has the file open. What others changed is told first. */
	HPW_LEASE = 42,

	/* A mark in the undo journal: what came before in this lane belongs to the epoch before; nothing may be under
	 * way in the other. offset = its number, one more than the last. EOPNOTSUPP: there is no journal. EBUSY: a
	 * change is under way, or too many epochs are kept. */
	HPW_EPOCH = 43,

	/* Told by home without being asked, on lane 0; a reply with id 0. */
	HPW_CHANGED = 50, /* Entries: canonical paths (attributes zero) of names that somebody else made,
			   * removed or changed. What the starter holds of them is to be asked for again. */
	/* Data: a handle (8 bytes). Somebody opens its file and waits for the end of the lease. After 15 s all of the
	 * file is locked at home instead, until the lease is given back and the file locked otherwise. */
	HPW_RECALL = 51,
};

enum hpw_setattr {
	HPW_SET_MODE = 1,
	HPW_SET_UID = 2,
	HPW_SET_GID = 4,
	HPW_SET_ATIME = 8,
	HPW_SET_MTIME = 16,
	HPW_SET_ATIME_NOW = 32,
	HPW_SET_MTIME_NOW = 64,
	HPW_SET_SIZE = 128,
};

#endif
