/* What every attack here uses. They only run inside a jail: as root of a machine, or outside a PID namespace of
 * their own, they end at once. An attack prints HELD for what was refused, BROKE for what it got; BROKE fails the test.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((constructor)) static void guard(void)
{
	char space[64] = "";
	ssize_t length = readlink("/proc/self/ns/pid", space, sizeof(space) - 1);
	setvbuf(stdout, NULL, _IOLBF, 4096);
	/* The kernel's first PID namespace always has this number. */
	if (geteuid() == 0 || length < 0 || strcmp(space, "pid:[4026531836]") == 0 || getenv("HPOOL_ATTACK") == NULL) {
		puts("not in a jail");
		_exit(77);
	}
}

#define HELD(...) (printf("HELD " __VA_ARGS__), putchar('\n'))
#define BROKE(...) (printf("BROKE " __VA_ARGS__), putchar('\n'))

/* An expression that has to fail. */
#define MUST_FAIL(expression) \
	({ \
		errno = 0; \
		long got_ = (long)(expression); \
		if (got_ < 0) \
			HELD("%s: %s", #expression, strerrorname_np(errno)); \
		else \
			BROKE("%s gave %ld", #expression, got_); \
		got_; \
	})

/* In a child, as it may be killed for trying: that is an answer too. */
#define IN_CHILD(what, body) \
	do { \
		fflush(stdout); \
		pid_t child_ = fork(); \
		if (child_ == 0) { \
			body; \
			_exit(0); \
		} \
		int status_; \
		waitpid(child_, &status_, 0); \
		if (WIFSIGNALED(status_)) \
			HELD("%s: killed by %s", what, sigabbrev_np(WTERMSIG(status_))); \
	} while (0)

#endif
