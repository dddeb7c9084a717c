/* The dispatch table, made of syscalls.def.
 *
 * Owns: which handler a number goes to. Leaves to others: the handlers
 * (hp_call_<name>, one file per subject) and the entry that looks here.
 *
 * Handlers are weak: a row whose handler is not linked in is passed through.
 * tests/interpose_c/test_table.py lists such rows and lets the list only shrink.
 */
#include <linux/errno.h>

#include "hpool/call.h"
#include "hpool/tracer.h"

#define HP_LINKED_LATER __attribute__((weak, visibility("hidden")))

/* Tells the submitter, once per program and call, what the job was refused. */
extern void hp_report_refused(const struct hp_call *call, int error) HP_LINKED_LATER;

extern long hp_call_verdict(struct hp_call *call) HP_LINKED_LATER;
extern long hp_observe_end(struct hp_call *call);

static long refuse(const struct hp_call *call, int error)
{
	if (hp_report_refused)
		hp_report_refused(call, error);
	return -error;
}

#define HP_REFUSAL(name) \
	static long hp_refuse_##name(struct hp_call *call) \
	{ \
		return refuse(call, name); \
	}
HP_REFUSAL(ENOSYS)
HP_REFUSAL(EPERM)

/* Declarations, for the routes that have a handler of their own. */
#define HP_DECLARE(handler) extern long handler(struct hp_call *call) HP_LINKED_LATER;
#define HP_DECLARE_FAULT(handler) HP_DECLARE(handler)
#define HP_DECLARE_NOTE(handler) HP_DECLARE(handler)
#define HP_DECLARE_CHANGE(handler) HP_DECLARE(handler)
#define HP_DECLARE_PROCESS(handler) HP_DECLARE(handler)
#define HP_DECLARE_SIGNAL(handler) HP_DECLARE(handler)
#define HP_DECLARE_NATIVE(handler)
#define HP_DECLARE_REFUSE(handler)
#define HP_CALL(number, name, route, handler, arguments, note) HP_DECLARE_##route(handler)
#include "../syscalls.def"
#undef HP_CALL

#define HP_NATIVE 0
#define HP_ERRNO(name) hp_refuse_##name
#define HP_CALL(number, name, route, handler, arguments, note) [number] = handler,

/* A number without a row is a call of a kernel newer than this table: nobody
 * has thought about what it could reach, so it does not exist here. */
#define HP_NUMBERS 470
_Static_assert(HP_NUMBERS == HP_VERDICT_CALL, "the row behind the last");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const hp_handler hp_handlers[HP_NUMBERS + 2] = {
	[0 ... HP_NUMBERS - 1] = hp_refuse_ENOSYS,
	[HP_VERDICT_CALL] = hp_call_verdict, /* only the tracer leads there */
	[HP_NUMBERS + 1] = hp_observe_end, /* not a call: offsets.h, OBSERVED_NR */
#include "../syscalls.def"
};
#undef HP_CALL
#pragma GCC diagnostic pop

/* What the arguments are, for whoever watches. Arrays, so that nothing is to be relocated at each start. */
#define HP_CALL(number, name, route, handler, arguments, note) [number] = arguments,
const char hp_argument_kinds[HP_NUMBERS][40] = {
#include "../syscalls.def"
};

const unsigned hp_handler_count = HP_NUMBERS;
