/* What the shim in a traced process and the tracer say to each other.
 *
 * A process asks for the tracer at HP_TRACER_PATH: connects (SOCK_SEQPACKET) and
 * reads an int, 0 or an errno. From then on it speaks by HP_TRACE_CALL, a number
 * that no kernel serves, made from the shim's text: the seccomp filter stops there.
 * The tracer believes nothing of what it is told; it can only harm the teller.
 */
#ifndef HPOOL_TRACER_H
#define HPOOL_TRACER_H

#define HP_TRACER_PATH "/.hpool/tracer"
#define HP_TRACE_CALL 181 /* getpmsg */
#define HP_VERDICT_CALL 470 /* the number under which a traced call comes that the program's own rules forbid */

/* The shim's text is here in every process, so that one filter holds over execve.
 * Far below where the kernel maps libraries, and what sanitizers call application memory. */
#define HP_TEXT_BASE 0x7ea000000000

enum hp_trace_op {
	HP_TRACE_HERE = 1, /* this task's (text start, text end, entry, thread block); after every start */
	HP_TRACE_HOLD,    /* returns when all other tasks of the process are stopped */
	HP_TRACE_TAKE,    /* ends their dispatch and lets them go on: 0 or -errno */
	HP_TRACE_RULES,    /* (struct sock_fprog *, flags of seccomp): a filter of the program's own. 0 or -errno */
	HP_TRACE_STRICT,   /* the program's own strict mode */
	HP_TRACE_DISPATCH, /* (on, start, length, selector): the program's own Syscall User Dispatch */
	HP_TRACE_VERDICT,  /* in a call that came as HP_VERDICT_CALL: what was decided, see below */
	HP_TRACE_NUMBER,   /* in the same: the number of the call */
	HP_TRACE_ADDRESS,  /* and where it was made */
};

/* Answers to HP_TRACE_VERDICT: an action of seccomp's with its data, or this. */
#define HP_VERDICT_DISPATCHED 0x100000000l

#endif
