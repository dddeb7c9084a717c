/* Signals as deliver.c, dispatch.c and sigaction.c see them. */
#ifndef HPOOL_SIGNALS_H
#define HPOOL_SIGNALS_H

#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>

#include "hpool/arch.h"

/* The kernel's own are handled by the shim even while the program has none:
 * dispatch itself, and faults of hp_user_read and its kin. */
static inline bool hp_always_handled(int sig)
{
	return sig == SIGSYS || sig == SIGSEGV || sig == SIGBUS;
}

#define HP_EVERYTHING (~HP_SIG_BIT(SIGSYS))
#define HP_SIG_DFL 0ul
#define HP_SIG_IGN 1ul
#define HP_SA_RESTORER 0x04000000ul

/* The kernel's action by which the shim gets `sig`. */
long hp_signal_take(int sig, unsigned long flags, struct hp_sigaction *old);

/* Called from signal.S. */
unsigned long hp_signal_prepare(int sig, const struct hp_siginfo *info, struct ucontext *context, uint64_t *mask)
	__attribute__((used));
bool hp_sigsys(int sig, const struct hp_siginfo *info, struct ucontext *context) __attribute__((used));

#endif
