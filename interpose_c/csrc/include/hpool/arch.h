/* Inside of the arch layer, shared by arch/x86_64 and front. Handlers of the
 * core include sys.h only. */
#ifndef HPOOL_ARCH_H
#define HPOOL_ARCH_H

#include "hpool/sys.h"

#define HP_SIGNALS 64
#define HP_SIG_BIT(sig) (1ul << ((sig) - 1))
#define HP_PAGE 4096ul
#define HP_PAGE_UP(x) (((x) + HP_PAGE - 1) & ~(HP_PAGE - 1))
#define HP_STACK_BYTES (128ul << 10) /* of the shim's stack in each thread */
#define HP_SIGNAL_BYTES (32ul << 10) /* of the stack the kernel puts signal frames on */

/* The caller's registers. rcx and r11 are clobbered by any system call. */
struct hp_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	uint64_t r10, r9, r8, rdx, rsi, rdi;
	uint64_t rax; /* what the caller gets */
	uint64_t nr;
	uint64_t rip; /* where the caller goes on */
	uint64_t rsp;
	uint64_t flags; /* as lahf and seto give them */
};

struct hp_frame {
	struct hp_call call;
	struct hp_regs regs;
	uint64_t pad;
};

/* The kernel's struct sigaction. */
struct hp_sigaction {
	unsigned long handler;
	unsigned long flags;
	unsigned long restorer;
	uint64_t mask;
};

/* What the program believes its actions to be. Threads share one; a child that
 * shares memory but not handlers (vfork) has its own, in its thread block. */
struct hp_actions {
	uint32_t lock;
	uint32_t filtered; /* the program has a seccomp filter of its own: no call but the necessary ones */
	uint64_t known; /* bits: set by the program, so the kernel's answer does not count */
	struct hp_sigaction of[HP_SIGNALS];
	unsigned long last_handler[HP_SIGNALS]; /* survives SIG_DFL: a signal may be on its way */
};

struct hp_siginfo {
	int32_t signo, error, code, pad;
	uint8_t rest[112];
};

#define HP_DEFERRED_MAX 8

enum hp_thread_flags {
	HP_THREAD_VFORK = 1,  /* the parent sleeps until we exec or exit, and frees our block */
	HP_THREAD_SHARED = 2, /* a process that shares memory with another */
	HP_THREAD_CLEARS = 4, /* CLONE_CLEAR_SIGHAND: handlers go before it starts */
};

/* What the program gave to sigaltstack. */
struct hp_altstack {
	unsigned long base, size; /* size 0: none */
	uint32_t flags;           /* as given */
};

/* One per task, found by %gs:0; below it the shim's stack, then the one for
 * signal frames, then a guard page. */
struct hp_thread {
	struct hp_thread *self;
	uint64_t return_to; /* of a call that is passed on just now */
	uint64_t app_stack;
	uint64_t frame;          /* of the next call: top of the shim's stack */
	uint32_t deferred; /* signals that wait for the handler's end */
	uint32_t traced;   /* %gs is given back at the way out */
	uint64_t tail_arg[6];
	uint64_t tail_nr;
	uint64_t result;       /* of the call whose end is put off by unblocking */
	uint64_t mask;         /* to be restored by the same */
	uint64_t suspend_mask; /* what sigsuspend, ppoll, ... sleep with */
	uint32_t flags;
	uint32_t sigsys_blocked; /* the program believes so */
	uint32_t owner;          /* 0: free */
	uint32_t sigsys_pending; /* came meanwhile */
	unsigned long exit;    /* the way out of a call that was passed on */
	uint64_t program_gs;   /* traced: the program's %gs while the shim runs */
	struct hp_recorded *last; /* the recorder's entry of the call under way */
	uint64_t observed_result; /* of a call that was passed on while somebody watches */
	uint32_t calls, counted;  /* how many the recorder has seen, and how many the channel has been told of */
	_Alignas(64) struct hp_recorded recorded[HP_RECORDED];
	struct hp_thread *next;  /* all blocks, never unlinked */
	struct hp_actions *actions;
	unsigned long child_stack; /* of a fork with a stack of its own */
	void *exec_scratch;        /* of a vfork child's exec: the parent unmaps it */
	unsigned long exec_scratch_bytes;
	uint64_t pselect_mask[2];
	struct hp_altstack altstack;
	struct hp_siginfo sigsys_info;
	struct hp_siginfo info[HP_DEFERRED_MAX];
	unsigned long words[8];
	struct hp_actions own_actions;
};

static inline struct hp_thread *hp_thread(void)
{
	struct hp_thread *thread;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(thread));
	return thread;
}

/* ---- thread.c ---- */
extern struct hp_actions hp_main_actions;
struct hp_thread *hp_thread_create(void); /* NULL: no memory */
void hp_thread_release(struct hp_thread *thread);
void hp_thread_leaves(void); /* the caller's block will have no owner in a moment */
bool hp_alone(void);                              /* no other task runs in this memory */
extern bool hp_place_shared;                      /* another process's chdir(2) may move this one */
bool hp_shares_memory(void); /* with a process that is not waited for */
long hp_thread_install(struct hp_thread *thread); /* %gs and signal stack of the running task */
long hp_dispatch_arm(void);
void hp_threads_after_fork(struct hp_thread *survivor);
bool hp_on_shim_stack(const struct hp_thread *thread, unsigned long stack);
bool hp_on_signal_stack(const struct hp_thread *thread, unsigned long stack);
bool hp_lock_try(uint32_t *lock);
void hp_lock(uint32_t *lock);
void hp_unlock(uint32_t *lock);

/* ---- sigreturn.c ---- */
/* What must be looked at before the kernel leaves the frame at `stack`. */
void hp_sigreturn_settle(struct hp_thread *thread, unsigned long stack);
/* A restorer whose call is dispatched; 0: no memory. */
unsigned long hp_sigreturn_seen(void);

/* ---- dispatch.c, sigaction.c, masks.c ---- */
/* SIGSYS as the program believes it to be blocked; one that came meanwhile comes now. */
void hp_sigsys_believe(struct hp_thread *thread, bool blocked);
/* Before an exec: one that waits for unblocking is given to the kernel; and taken back. */
void hp_sigsys_keep(struct hp_thread *thread);
void hp_sigsys_take(struct hp_thread *thread);
void hp_actions_clear(struct hp_actions *actions);
void hp_dispatch_start(void); /* the shim's own handlers */
void hp_actions_before_exec(const struct hp_actions *actions);
void hp_actions_after_failed_exec(const struct hp_actions *actions);

/* ---- rewrite.c, trampoline.c, textmap.c ---- */
/* A call at `site` (address of its syscall instruction) came the slow way:
 * where it goes on, after the site was perhaps rewritten. */
unsigned long hp_site_hit(unsigned long site, unsigned long nr);
extern uint32_t hp_rewriting; /* lock: somebody rewrites */
void hp_rewrite_after_fork(void); /* also ends a pause */
void hp_rewrite_pause(void);     /* nobody is at it, nobody begins */
/* The known sites, from 0; tail 0: calls go on behind it. */
bool hp_site_number(unsigned number, unsigned long *address, unsigned long *tail);

struct hp_text {
	unsigned long start, end;
	int protection;
};
bool hp_text_find(unsigned long address, struct hp_text *text);
void hp_text_know(const struct hp_text *text); /* the loader says what it maps */
void hp_text_changed(unsigned long address, unsigned long length);

enum hp_entry { HP_ENTER_NATIVE, HP_ENTER_HANDLED, HP_ENTER_ANY, HP_ENTRIES };
/* `bytes` of trampoline that 32-bit jumps reach from everywhere in `text`; NULL: none. */
uint8_t *hp_trampoline_room(const struct hp_text *text, unsigned bytes);
/* Where that trampoline finds the address of an entry. */
uint8_t *hp_trampoline_entry(const uint8_t *trampoline, enum hp_entry entry);
bool hp_is_trampoline_range(unsigned long address, unsigned long length);
/* The site whose displaced tail begins at `address`, else 0. */
unsigned long hp_tail_site(unsigned long address);
/* Code in a trampoline stands for code of the program's: where the program
 * would be, and the way back. Other addresses are what they are. */
unsigned long hp_trampoline_seen(unsigned long rip);
unsigned long hp_trampoline_unseen(unsigned long rip);
/* Does a call that came the slow way begin at `rip`? What hp_site_hit said then. */
unsigned long hp_site_known(unsigned long rip);

/* ---- deliver.c, entry.S, signal.S ---- */
extern char hp_entry_any[], hp_entry_native[], hp_entry_handled[], hp_entry_int80[];
extern char hp_signal_entry[], hp_sigsys_entry[], hp_restorer[], hp_restorer_call[];
extern char hp_text_start[] __asm__("__executable_start"), hp_text_end[] __asm__("etext");
extern char hp_image_end[] __asm__("_end");
/* The syscall instruction by which a call with this return address was made. */
unsigned long hp_site_of(unsigned long return_to);
void hp_deliver_deferred(struct hp_frame *frame) __attribute__((used));
/* Blocks everything; HP_AGAIN if a signal waits. The old mask is written. */
long hp_signals_block(uint64_t *old);
void hp_signals_restore(uint64_t mask);

/* ---- observe.c, entry.S ---- */
extern char hp_observed_done[], hp_observed_jump[];
/* &hp_channel->observed, or a zero while there is no channel. */
extern const uint32_t *hp_observed;
long hp_observe(struct hp_call *call, hp_handler handler) __attribute__((used));
long hp_observe_end(struct hp_call *call); /* handler of OBSERVED_NR */
/* A call that was passed on does not end by its return: a signal's handler runs now. */
void hp_observe_straighten(struct hp_thread *thread);
void hp_observe_interrupted(struct hp_thread *thread, long result);

/* ---- crash.c ---- */
/* The process dies of `sig` in a moment: its registers and more go to whoever wants to know. */
void hp_crash_tell(int sig, const struct hp_siginfo *info, const void *ucontext);

/* ---- cpuid.c ---- */
extern unsigned hp_cpu_level; /* of x86-64's ABI: what the processor shows; 0: all */
long hp_cpuid_hide(void);     /* from now on, in this thread and all it makes; -errno: it cannot be */
void hp_cpuid_cut(unsigned level, uint32_t leaf, uint32_t sub, uint32_t words[4]); /* eax ebx ecx edx */

/* ---- process.c, entry.S ---- */
/* In the parent returns as the kernel does; the child goes on in hp_child_start. */
long hp_clone_raw(long nr, const long arg[5], struct hp_thread *child, struct hp_frame *frame);
void hp_child_start(struct hp_thread *child, struct hp_frame *frame) __attribute__((used));
_Noreturn void hp_exit_released(struct hp_thread *thread, long code, long nr);

/* ---- traced.c, verdict.c: the other front end ---- */
enum hp_front_mode { HP_MODE_SHIM, HP_MODE_AUTO, HP_MODE_TRACE };
extern enum hp_front_mode hp_front_mode;
extern bool hp_traced;  /* this process is */
extern bool hp_gs_free; /* %gs can be changed without a system call */
enum hp_trace_op;
extern char hp_entry_traced[], hp_exit_traced[], hp_exit_plain[];
void hp_trace_features(unsigned long hwcap2);
long hp_trace_start(void); /* in the loader: 0 traced from now on, or -errno */
/* In a running process, all its threads: 0, -errno, or HP_AGAIN. */
long hp_take_over(void);
long hp_trace_call(enum hp_trace_op op, long a, long b, long c, long d);
long hp_trace_everything(long flags);             /* every call of the program's stops, for its own rules */
void hp_trace_begin_task(struct hp_thread *thread); /* each new task, once its block is installed */
void hp_trace_after_fork(void);
void hp_threads_traced(void);
void hp_dispatch_over(void);
long hp_call_exit(struct hp_call *call);
long hp_call_verdict(struct hp_call *call); /* of a call that the program's own rules forbid */
long hp_own_seccomp(struct hp_call *call);
long hp_own_dispatch(struct hp_call *call);
void hp_rewrite_undo(void);

static inline unsigned long hp_gs_read(void)
{
	unsigned long base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static inline void hp_gs_write(unsigned long base)
{
	__asm__ volatile("wrgsbase %0" : : "r"(base) : "memory");
}

/* ---- front ---- */
bool hp_relinked_covers(const struct hp_text *text, unsigned long site);
void hp_relinked_shut(void);
void hp_self_exe_set(const char *path);
void hp_proc_publish(void);
void hp_proc_withdraw(void);

#endif
