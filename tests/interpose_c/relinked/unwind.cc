/* Single-steps through the stub of read() and throws from each of its instructions, as a cancellation that
 * comes just then would unwind: everything between must be left in order. */
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ucontext.h>
#include <unistd.h>

#define STUB_BYTES 64

extern "C" const struct {
	uint32_t version, room;
	int32_t stubs, gates;
	uint32_t gate_count, covered, left, flags;
} hp_relinked __attribute__((visibility("hidden")));

struct Thrown {
	int place;
};

struct Guard {
	int *count;
	~Guard()
	{
		++*count;
	}
};

static volatile sig_atomic_t wanted, place;

static void stepped(int, siginfo_t *, void *context)
{
	greg_t *regs = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
	uintptr_t first = reinterpret_cast<uintptr_t>(&hp_relinked) + static_cast<intptr_t>(hp_relinked.stubs);
	uintptr_t rip = static_cast<uintptr_t>(regs[REG_RIP]);

	if (rip >= first && rip < first + hp_relinked.covered * STUB_BYTES) {
		if (place++ == wanted)
			throw Thrown{ place };
	} else if (place) {
		regs[REG_EFL] &= ~0x100l; /* behind the stub: no more steps */
	}
}

__attribute__((noinline)) static long read_in_steps(int fd, int *destroyed)
{
	Guard guard = { destroyed };
	char byte;

	asm volatile("subq $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; addq $128, %%rsp" ::: "cc", "memory");
	return read(fd, &byte, 1);
}

int main()
{
	struct sigaction action = {};
	int thrown = 0, destroyed = 0, ends[2];

	action.sa_sigaction = stepped;
	action.sa_flags = SA_SIGINFO | SA_NODEFER;
	sigaction(SIGTRAP, &action, nullptr);
	if (pipe(ends))
		return 1;
	for (;; wanted = thrown) {
		place = 0;
		try {
			if (write(ends[1], "x", 1) != 1 || read_in_steps(ends[0], &destroyed) != 1)
				return 2;
			break;
		} catch (const Thrown &) {
			thrown++;
		}
	}
	std::printf("%d places\n", thrown);
	if (thrown < 3 || destroyed != thrown + 1)
		return 3;
	std::puts("unwound from every place");
	return 0;
}
