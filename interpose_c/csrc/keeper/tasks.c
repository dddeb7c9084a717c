/* The traced tasks, by their number.
 *
 * Owns: the table and what is inherited. Leaves to others: what their stops mean.
 */
#include "tracer.h"

#include <stdio.h>
#include <stdlib.h>

#define BUCKETS 1024u

static struct hp_task *buckets[BUCKETS];

static struct hp_task **place_of(pid_t tid)
{
	struct hp_task **at = &buckets[(unsigned)tid % BUCKETS];
	while (*at != NULL && (*at)->tid != tid)
		at = &(*at)->next;
	return at;
}

struct hp_task *hp_task_find(pid_t tid)
{
	return *place_of(tid);
}

struct hp_task *hp_task_get(pid_t tid)
{
	struct hp_task **at = place_of(tid);
	if (*at == NULL) {
		*at = calloc(1, sizeof **at);
		if (*at != NULL)
			(*at)->tid = (*at)->process = tid;
	}
	return *at;
}

void hp_task_forget(pid_t tid)
{
	struct hp_task **at = place_of(tid), *gone = *at;
	if (gone == NULL)
		return;
	*at = gone->next;
	hp_rules_release(gone->rules);
	free(gone);
}

/* The block is its parent's until it says otherwise, which may be before its parent's
 * stop is seen. */
void hp_task_inherit(struct hp_task *child, const struct hp_task *parent)
{
	if (!child->entry) {
		child->text_start = parent->text_start;
		child->text_end = parent->text_end;
		child->entry = parent->entry;
		child->block = parent->block;
	}
	hp_rules_release(child->rules);
	child->rules = hp_rules_hold(parent->rules);
}

void hp_tasks_each(void (*visit)(struct hp_task *, void *), void *with)
{
	for (unsigned n = 0; n < BUCKETS; n++)
		for (struct hp_task *task = buckets[n], *next; task != NULL; task = next) {
			next = task->next;
			visit(task, with);
		}
}

static pid_t status_number(pid_t tid, const char *format, pid_t otherwise)
{
	char path[32], line[128];
	int number = otherwise;
	snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
	FILE *status = fopen(path, "re");
	while (status != NULL && fgets(line, sizeof line, status) && sscanf(line, format, &number) != 1)
		;
	if (status != NULL)
		fclose(status);
	return number;
}

pid_t hp_process_of(pid_t tid)
{
	return status_number(tid, "Tgid: %d", tid);
}

pid_t hp_parent_of(pid_t tid)
{
	return status_number(tid, "PPid: %d", 0);
}
