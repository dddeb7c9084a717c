/* The options of ours, and the two things they can mean. */
#include "alone.h"

#include <linux/fcntl.h>
#include <linux/mman.h>

struct hp_alone *hp_alone_here __attribute__((visibility("hidden"), section(".bss.hpool")));

struct options {
	const char *to, *signal, *restart;
};

uint64_t *hp_alone_start(uint64_t *stack);

static _Noreturn void give_up(const char *format, const char *text)
{
	char line[600];
	line[0] = 0;
	hp_a_format(line, sizeof line, format, text, 0);
	hp_a_say(line);
	SYS(exit_group, 125);
	__builtin_unreachable();
}

/* A signal by name or number; 0: there is none. */
static int signal_of(const char *text)
{
	static const char names[][8] = { "HUP",  "INT",  "QUIT", "USR1",   "USR2", "ALRM",  "TERM", "TSTP",
					 "TTIN", "TTOU", "URG",  "VTALRM", "PROF", "WINCH", "IO",   "PWR" };
	static const uint8_t numbers[] = { 1, 2, 3, 10, 12, 14, 15, 20, 21, 22, 23, 26, 27, 28, 29, 30 };
	const char *bare = hp_a_after(text, "SIG");
	bare = bare ? bare : text;
	for (unsigned n = 0; n < sizeof numbers; n++)
		if (hp_a_same(bare, names[n]))
			return numbers[n];
	uint64_t number = hp_a_number(&text, 10);
	bool may_be =
		!*text && number > 0 && number <= 64 && number != 9 && number != 19 && number != 11 && number != 7;
	return may_be ? (int)number : 0;
}

static void absolute(char *to, size_t room, const char *path)
{
	to[0] = 0;
	if (*path != '/') {
		if (SYS(getcwd, to, room - 1) < 0)
			give_up("%s: the working directory has no name", path);
		hp_a_format(to, room, "/", NULL, 0);
	}
	hp_a_format(to, room, "%s", path, 0);
}

static void prepare(const struct options *options)
{
	int number = options->signal ? signal_of(options->signal) : 12; /* SIGUSR2 */
	if (number == 0)
		give_up("--hpool-checkpoint-signal %s: there is no such signal to choose", options->signal);
	long state = SYS(mmap, 0, sizeof(struct hp_alone), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long piece = SYS(mmap, 0, HP_ALONE_PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (state < 0 || piece < 0)
		give_up("%s", "there is no memory to be ready for a checkpoint");
	struct hp_alone *alone = (struct hp_alone *)state;
	alone->piece = (uint8_t *)piece;
	alone->signal = number;
	alone->pid = (int32_t)SYS(getpid);
	absolute(alone->path, sizeof alone->path, options->to);
	hp_alone_here = alone;
	/* SA_SIGINFO, SA_RESTORER, SA_RESTART; nothing may come in between */
	const uint64_t action[4] = { (uint64_t)hp_a_handler, 0x4 | 0x04000000 | 0x10000000, (uint64_t)hp_alone_restorer,
				     ~0ull };
	SYS(rt_sigaction, number, action, 0, 8);
}

/* What an option is given: behind "=", or the next word. */
static const char *value(char **words, unsigned *taken, const char *name)
{
	const char *rest = hp_a_after(words[*taken], name);
	if (rest && *rest == '=') {
		(*taken)++;
		return rest + 1;
	}
	if (!rest || *rest)
		return NULL;
	if (!words[*taken + 1])
		give_up("%s wants a word behind it", name);
	*taken += 2;
	return words[*taken - 1];
}

/* What was typed at the beginning of the command line is ours if it is named so. */
static unsigned take(char **words, struct options *options)
{
	unsigned taken = 0;
	while (words[taken] && hp_a_after(words[taken], "--hpool-")) {
		const char *found;
		if ((found = value(words, &taken, "--hpool-checkpoint-to")))
			options->to = found;
		else if ((found = value(words, &taken, "--hpool-checkpoint-signal")))
			options->signal = found;
		else if ((found = value(words, &taken, "--hpool-restart")))
			options->restart = found;
		else
			give_up("%s: there is no such option", words[taken]);
	}
	return taken;
}

uint64_t *hp_alone_start(uint64_t *stack)
{
	struct options options = { 0 };
	uint64_t count = stack[0];
	char **words = (char **)(stack + 1), **environment = words + count + 1;
	for (; *environment; environment++) {
		const char *rest = hp_a_after(*environment, "HPOOL_CHECKPOINT_");
		const char *to = rest ? hp_a_after(rest, "TO=") : NULL,
			   *number = rest ? hp_a_after(rest, "SIGNAL=") : NULL;
		if (to && *to)
			options.to = to;
		if (number && *number)
			options.signal = number;
	}
	unsigned taken = count ? take(words + 1, &options) : 0;
	if (options.restart)
		hp_a_restart(options.restart);
	if (options.to)
		prepare(&options);
	if (taken) { /* the rest stays where it is: whoever has looked at the environment finds it there */
		stack[taken + 1] = stack[1];
		stack[taken] = count - taken;
	}
	return stack + taken;
}
