/* The gate of a process that was restored while its memory still follows (IMAGE.md, "Lazily").
 *
 * A page in the loader that is zeros and is only read. Where the restorer has made it missing it comes last, when
 * all memory of the job is there: who reads it has waited for that. Anywhere else reading it costs nothing. The
 * restorer finds the table in the loader's file by its magic, and believes it: image and loader are of one build.
 */
#ifndef HPOOL_GATE_H
#define HPOOL_GATE_H

#define HP_GATE_MAGIC "hpool: the gate\n" /* 8-aligned in the file, as the table is */

struct hp_gate {
	char magic[24];
	const volatile void *page;
};

#endif
