/* A process's mappings: /proc/PID/smaps, read and understood. */
#include "dump.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define READ 1u
#define WRITE 2u
#define EXECUTE 4u

static const struct {
	char word[3];
	uint32_t flag;
} advices[] = {
	{ "gd", HP_V_GROWSDOWN },  { "nr", HP_V_NORESERVE },  { "lo", HP_V_LOCKED },    { "dc", HP_V_DONTFORK },
	{ "dd", HP_V_DONTDUMP },   { "wf", HP_V_WIPEONFORK }, { "hg", HP_V_HUGE },      { "nh", HP_V_NOHUGE },
	{ "sr", HP_V_SEQUENTIAL }, { "rr", HP_V_RANDOM },     { "mg", HP_V_MERGEABLE }, { "gu", HP_V_GUARDED },
};

/* Who holds a userfaultfd is refused for that descriptor: what is write-protected else is so by track.c. */
static bool read_flags(struct hp_process *process, struct hp_mapping *mapping, const char *words)
{
	bool may_write = false;
	for (const char *at = words; *at && *at != '\n'; at++) {
		if (*at == ' ')
			continue;
		for (unsigned n = 0; n < sizeof advices / sizeof *advices; n++)
			if (!strncmp(at, advices[n].word, 2))
				mapping->flags |= advices[n].flag;
		may_write |= !strncmp(at, "mw", 2);
		if (!strncmp(at, "io", 2) || !strncmp(at, "pf", 2))
			mapping->io = true;
		if (!strncmp(at, "ht", 2))
			return hp_refuse("process %d uses huge pages by name", (int)process->pid);
		if (!strncmp(at, "um", 2) || (!strncmp(at, "uw", 2) && !process->track))
			return hp_refuse("process %d serves page faults itself (userfaultfd)", (int)process->pid);
		if (!strncmp(at, "sl", 2))
			return hp_refuse("process %d has sealed memory", (int)process->pid);
		at++;
	}
	if (mapping->shared && !may_write)
		mapping->flags |= HP_V_READ_ONLY;
	return true;
}

static bool classify(struct hp_process *process, struct hp_mapping *mapping)
{
	const char *name = mapping->name;
	if (!strcmp(name, "[vdso]") || !strncmp(name, "[vvar", 5)) {
		mapping->kind = HP_V_KERNEL;
	} else if (mapping->io) {
		return hp_refuse("process %d maps a device: %s", (int)process->pid, name);
	} else if ((mapping->inode == 0 && name[0] != '/') || (!mapping->shared && !strcmp(name, "/dev/zero"))) {
		mapping->kind = HP_V_ANON;
	} else {
		mapping->kind = HP_V_FILE; /* or shared memory: dump_objects.c knows */
	}
	if (mapping->kind == HP_V_ANON && name[0] == '[' && strcmp(name, "[heap]") && strncmp(name, "[stack", 6) &&
	    strncmp(name, "[anon", 5))
		return hp_refuse("process %d has a mapping that is not known: %s", (int)process->pid, name);
	return true;
}

static struct hp_mapping *append(struct hp_process *process, unsigned *room)
{
	if (process->mapping_count == *room) {
		unsigned more = *room ? *room * 2 : 64;
		struct hp_mapping *larger = realloc(process->mappings, more * sizeof *larger);
		if (larger == NULL)
			return NULL;
		process->mappings = larger;
		*room = more;
	}
	struct hp_mapping *mapping = &process->mappings[process->mapping_count++];
	memset(mapping, 0, sizeof *mapping);
	return mapping;
}

/* start-end rwxp offset major:minor inode   name */
static bool read_head(struct hp_mapping *mapping, const char *line)
{
	unsigned long start, end, offset, inode;
	unsigned major_number, minor_number;
	char rights[5];
	int used = 0;
	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu%n", &start, &end, rights, &offset, &major_number, &minor_number,
		   &inode, &used) != 7)
		return false;
	mapping->start = start;
	mapping->end = end;
	mapping->offset = offset;
	mapping->inode = inode;
	mapping->device = makedev(major_number, minor_number);
	mapping->prot =
		(rights[0] == 'r' ? READ : 0) | (rights[1] == 'w' ? WRITE : 0) | (rights[2] == 'x' ? EXECUTE : 0);
	mapping->shared = rights[3] == 's';
	line += used;
	line += strspn(line, " ");
	size_t length = strcspn(line, "\n");
	if (length >= sizeof mapping->name)
		return false;
	memcpy(mapping->name, line, length);
	return true;
}

static bool parse(struct hp_process *process, const char *text)
{
	struct hp_mapping *mapping = NULL;
	unsigned room = 0;
	bool fine = text != NULL;
	for (const char *line = text; fine && line != NULL && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strchr("0123456789abcdef", *line)) {
			mapping = append(process, &room);
			fine = mapping && read_head(mapping, line);
			if (fine && !strcmp(mapping->name, "[vsyscall]"))
				process->mapping_count--, mapping = NULL;
		} else if (mapping && !strncmp(line, "VmFlags:", 8)) {
			fine = read_flags(process, mapping, line + 8);
		}
	}
	for (unsigned n = 0; n < process->mapping_count && fine; n++)
		fine = classify(process, &process->mappings[n]);
	return fine || hp_refuse("process %d: its mappings cannot be read", (int)process->pid);
}

bool hp_dump_read_maps(struct hp_process *process, bool advice)
{
	char *text = hp_proc_text(process->tasks[0].tid, advice ? "smaps" : "maps", NULL);
	bool fine = parse(process, text);
	free(text);
	return fine;
}

/* Our scratch is among them, perhaps in one with its neighbour: so by address. */
static bool take_advice(struct hp_process *process)
{
	struct hp_process now = { .pid = process->pid, .track = process->track };
	unsigned other = 0;
	bool fine = parse(&now, process->smaps);
	for (unsigned n = 0; n < process->mapping_count && fine; n++) {
		struct hp_mapping *mapping = &process->mappings[n];
		while (other < now.mapping_count && now.mappings[other].end <= mapping->start)
			other++;
		fine = other < now.mapping_count && now.mappings[other].start <= mapping->start;
		if (fine)
			mapping->flags = now.mappings[other].flags;
		else
			hp_refuse("process %d: its mappings have changed", (int)process->pid);
	}
	free(now.mappings);
	free(process->smaps);
	process->smaps = NULL;
	return fine;
}

static pthread_t reader;
static bool reads;

static void *read_texts(void *dump_)
{
	const struct hp_dump *dump = dump_;
	for (unsigned n = 0; n < dump->count; n++)
		if (dump->processes[n].track)
			dump->processes[n].smaps = hp_proc_text(dump->processes[n].tasks[0].tid, "smaps", NULL);
	return NULL;
}

void hp_dump_advice_begin(struct hp_dump *dump)
{
	for (unsigned n = 0; n < dump->count && !reads; n++)
		if (dump->processes[n].track)
			reads = pthread_create(&reader, NULL, read_texts, dump) == 0;
}

bool hp_dump_advice_end(struct hp_dump *dump)
{
	if (reads)
		pthread_join(reader, NULL);
	else
		read_texts(dump);
	reads = false;
	for (unsigned n = 0; n < dump->count; n++)
		if (dump->processes[n].track && !take_advice(&dump->processes[n]))
			return false;
	return true;
}
