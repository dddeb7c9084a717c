/* Calls for whoever watches the job: entries of the channel's ring.
 *
 * Owns: when an entry is written. Leaves to others: what is in it (the hooks
 * hp_seen_begin, hp_seen_end), the flight recorder (entry.S), reading (the engine).
 * Only while `observed` is set; otherwise one load and one branch of the entry's.
 *
 * A call that is passed on ends outside of any handler. Its way out is bent to
 * hp_observed_done, which comes here once more as the pseudo call OBSERVED_NR; a
 * signal that ends it otherwise straightens the way (deliver.c).
 */
#include "hpool/arch.h"
#include "offsets.h"

static const uint32_t nobody;
const uint32_t *hp_observed = &nobody;

/* Those that do not come back must not leave a bent way to the next call. */
static bool comes_back(long nr)
{
	return nr != __NR_rt_sigreturn && nr != __NR_exit && nr != __NR_exit_group;
}

void hp_observe_straighten(struct hp_thread *thread)
{
	if (thread->exit == (unsigned long)hp_observed_done)
		thread->exit = (unsigned long)(thread->traced ? hp_exit_traced : hp_exit_plain);
}

long hp_observe(struct hp_call *call, hp_handler handler)
{
	struct hp_thread *thread = hp_thread();
	long nr = call->nr, result;

	if (nr == OBSERVED_NR) {
		hp_seen_end(&thread->recorded[(thread->calls - 1) % HP_RECORDED], (long)thread->observed_result, true);
		return hp_observe_end(call);
	}
	if (nr > OBSERVED_NR - 2) /* the tracer's own */
		return handler(call);
	hp_seen_begin(thread->last);
	result = handler(call);
	if (result == HP_PASS || result == HP_TAIL) {
		if (comes_back(nr))
			thread->exit = (unsigned long)hp_observed_done;
	} else if (result != HP_RESTART && result != HP_AGAIN) {
		hp_seen_end(thread->last, result, false);
	}
	return result;
}

long hp_observe_end(struct hp_call *call)
{
	struct hp_thread *thread = hp_thread();

	(void)call;
	hp_observe_straighten(thread);
	return (long)thread->observed_result;
}

void hp_observe_interrupted(struct hp_thread *thread, long result)
{
	if (*hp_observed)
		hp_seen_end(thread->last, result, true);
}
