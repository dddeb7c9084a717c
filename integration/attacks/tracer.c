/* The tracer is told lies: calls of its own from the shim's text with anything in them, and a flood of who asks for it. */
#include "bypass.h"
#include <sys/socket.h>
#include <sys/un.h>

#define TRACE_CALL 181

static unsigned seed = 4711;

static long any(void)
{
	static const long odd[] = { 0, 1, -1, 8, 4096, 0x7fffffffffffl, -4096, 1l << 63, 0x7ea000001000l };
	seed = seed * 1103515245 + 12345;
	return seed >> 16 & 1 ? odd[seed % (sizeof(odd) / sizeof(*odd))] : (long)seed << (seed % 32);
}

static long ask(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX, .sun_path = "/.hpool/tracer" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), answer = -1;
	if (connect(fd, (struct sockaddr *)&where, sizeof(where)) == 0 && read(fd, &answer, sizeof(answer)) < 0)
		answer = -1;
	close(fd);
	return answer;
}

int main(void)
{
	bypass_start();
	IN_CHILD("lies of any kind", {
		alarm(4);
		for (int i = 0; i < 300; i++)
			bypass(gates[0], TRACE_CALL, i % 12, any(), any(), any());
	});
	IN_CHILD("a block anywhere", {
		alarm(4);
		bypass(gates[0], TRACE_CALL, 1, any(), any(), any());
		open("small.txt", O_RDONLY);
	});
	IN_CHILD("rules from nowhere", {
		alarm(4);
		static struct program {
			unsigned short length;
			void *code;
		} program;
		program.length = 4096;
		program.code = (void *)8;
		for (int i = 0; i < 50; i++)
			bypass(gates[0], TRACE_CALL, 4, (long)&program, 1, 0);
	});
	int asked = 0;
	for (int i = 0; i < 40; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(ask() == 0 ? 0 : 1);
		asked += child > 0;
	}
	while (wait(NULL) > 0)
		;
	HELD("%d asked", asked);
	char line[64];
	int fd = open("small.txt", O_RDONLY);
	if (read(fd, line, sizeof(line)) <= 0)
		printf("NEEDED the job does not go on\n");
	return 0;
}
