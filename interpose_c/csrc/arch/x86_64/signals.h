/* Signals as deliver.c, dispatch.c and sigaction.c see them. */
#ifndef HPOOL_SIGNALS_H
#define HPOOL_SIGNALS_H

#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>

#include "hpool/arch.h"

/* The kernel's own are handled by the shim even while the program has none:
 * dispatch itself (not when traced), and faults of hp_user_read and its kin. */
static inline bool hp_always_handled(int sig)
{
	return (sig == SIGSYS && !hp_traced) || sig == SIGSEGV || sig == SIGBUS;
}

/* Those, and what ends a process by a fault of its own: handled while the program
 * has the default, which is played back after the crash was told (crash.c). */
static inline bool hp_handled_by_default(int sig)
{
	return hp_always_handled(sig) || sig == SIGILL || sig == SIGFPE || sig == SIGABRT || sig == SIGTRAP;
}

/* A blocked SIGSYS would kill where dispatch is on. */
#define HP_EVERYTHING (hp_traced ? ~0ul : ~HP_SIG_BIT(SIGSYS))
#define HP_SIG_DFL 0ul
#define HP_SIG_IGN 1ul
#define HP_SA_RESTORER 0x04000000ul

/* The kernel's action by which the shim gets `sig`. */
long hp_signal_take(int sig, unsigned long flags, struct hp_sigaction *old);

/* What the kernel leaves on a stack for a handler. Its end: the vector state. */
struct hp_signal_frame {
	unsigned long restorer;
	struct ucontext context;
	struct hp_siginfo info;
};
_Static_assert(sizeof(struct hp_signal_frame) == 440, "struct rt_sigframe");

/* Moves a frame from the shim's signal stack to where the program's handler
 * should find it. NULL: no room there. */
struct hp_signal_frame *hp_altstack_move(const struct hp_thread *thread, struct hp_signal_frame *frame,
					 bool on_altstack);

/* Where a slow call goes. */
unsigned long hp_entry_of(unsigned long nr);

/* What the kernel does with the stack when a handler begins, and by sigaltstack at stack pointer `at`. */
void hp_altstack_enter(struct hp_thread *thread, struct ucontext *context);
long hp_altstack_set(struct hp_altstack *stack, const stack_t *new, unsigned long at);

/* The kernel leaves its signal stack alone when it leaves this frame. */
void hp_sigreturn_hide(struct ucontext *context);

/* Whether the fault was a CPUID that the program is not to see all of; it is answered then. */
bool hp_cpuid_answer(struct sigcontext *regs);

/* Called from signal.S. */
struct hp_signal_call {
	uint64_t mask; /* to be set before the handler runs */
	unsigned long handler;
	struct hp_signal_frame *frame; /* the stack it runs on */
};
bool hp_signal_prepare(int sig, struct hp_signal_frame *frame, struct hp_signal_call *call) __attribute__((used));
bool hp_sigsys(int sig, const struct hp_siginfo *info, struct ucontext *context) __attribute__((used));

#endif
