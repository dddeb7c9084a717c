/* The kernel's struct stat. */
#ifndef HPOOL_ALONE_LOOK_H
#define HPOOL_ALONE_LOOK_H

#include "alone.h"

struct hp_stat_ {
	uint64_t device, inode, links;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	int64_t size, block, blocks, atime[2], mtime[2], ctime[2], rest[3];
};

#endif
