/* What the restorer does to a process's shim, whose memory comes from an image.
 *
 * A restored job has another mirror and another channel: what the shim remembers of inodes and of file
 * numbers is of the old ones. The loader carries this table; the restorer finds it in the loader's file by
 * its magic, and believes it, as the image and the loader must be of one build.
 */
#ifndef HPOOL_FORGET_H
#define HPOOL_FORGET_H

#include <stdint.h>

#define HP_FORGET_MAGIC "hpool: at a restore\n" /* 8-aligned in the file, as the table is */
#define HP_FORGET_MOST 4u

struct hp_forget {
	char magic[24];
	const void *exe; /* text: what /proc/self/exe names, for the new channel's `procs` */
	struct {
		const void *address;
		uint64_t bytes; /* to be zeros; 0: no more */
	} of[HP_FORGET_MOST];
};

#endif
