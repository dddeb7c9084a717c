/* By whom, and in which session, each process of a tree can be born again.
 *
 * A session is entered by birth, and left once only, by founding one. So who is in another session than its parent was
 * made before its parent founded its own, or has lost another parent. The dumper asks whether all of a tree can be
 * made, the maker (make_tree.c) goes by the answer.
 */
#include "births.h"

#include <stddef.h>

const struct hp_birth *hp_birth_find(const struct hp_birth *births, unsigned count, pid_t pid)
{
	for (unsigned n = 0; n < count; n++)
		if (births[n].pid == pid)
			return &births[n];
	return NULL;
}

static bool descends(const struct hp_birth *births, unsigned count, const struct hp_birth *from, pid_t ancestor)
{
	while (from && from->pid != ancestor)
		from = hp_birth_find(births, count, from->ppid);
	return from != NULL;
}

/* Given to a subreaper: all who are in that session come from below it. */
static bool was_given(const struct hp_birth *births, unsigned count, const struct hp_birth *to, pid_t session)
{
	for (unsigned n = 0; n < count; n++)
		if (births[n].sid == session && !descends(births, count, &births[n], to->pid))
			return false;
	return to->reaps;
}

pid_t hp_birth_home(const struct hp_birth *births, unsigned count, pid_t session)
{
	for (unsigned n = 0; n < count; n++)
		if (births[n].adopted && births[n].session == session && births[n].ppid != 1)
			return births[n].ppid;
	return 1;
}

/* Its maker ends, and leaves it to the first subreaper above: is that its parent? */
static bool reaches_parent(const struct hp_birth *births, unsigned count, const struct hp_birth *birth)
{
	const struct hp_birth *leader = hp_birth_find(births, count, birth->session);
	pid_t home = leader ? 0 : hp_birth_home(births, count, birth->session);
	const struct hp_birth *above = leader ? leader : hp_birth_find(births, count, home);
	if (!leader && birth->ppid == home)
		return true; /* made as its child */
	while (above && !above->reaps_early)
		above = hp_birth_find(births, count, above->ppid);
	return above ? above->pid == birth->ppid : birth->ppid == 1;
}

pid_t hp_births_plan(struct hp_birth *births, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		births[n].session = births[n].sid == births[n].pid ? 0 : births[n].sid;
		births[n].adopted = births[n].reaps_early = false;
	}
	for (unsigned n = count; n-- > 0;) {
		struct hp_birth *birth = &births[n];
		struct hp_birth *parent = (struct hp_birth *)hp_birth_find(births, count, birth->ppid);
		if (birth->session == 0 || birth->session == (parent ? parent->sid : HP_FIRST_SESSION))
			continue;
		birth->adopted = parent == NULL || was_given(births, count, parent, birth->session);
		if (birth->adopted && parent)
			parent->reaps_early = true;
		if (birth->adopted)
			continue;
		if (parent->sid != parent->pid || (parent->session && parent->session != birth->session))
			return birth->pid;
		parent->session = birth->session;
	}
	for (unsigned n = 0; n < count; n++)
		if (births[n].adopted && !reaches_parent(births, count, &births[n]))
			return births[n].pid;
	return 0;
}
