/* Tokens and secrets of the machine, looked for in environment, memory and descriptors.
 * argv: the secret in two halves, so that this program's own arguments do not count.
 */
#include <sys/uio.h>
#include "attack.h"

extern char **environ;

int main(int argc, char **argv)
{
	static char line[1024], secret[256], window[1 << 16];
	(void)argc;
	/* Turned round, or the copy made here would be found. */
	size_t length = strlen(argv[1]) + strlen(argv[2]);
	snprintf(secret, sizeof(secret), "%s%s", argv[1], argv[2]);
	for (size_t i = 0; i < length; i++)
		secret[i] ^= 0x55;
	FILE *maps = fopen("/proc/self/maps", "r");
	long searched = 0;
	while (maps && fgets(line, sizeof(line), maps)) {
		uintptr_t low, high;
		char rights[8];
		if (sscanf(line, "%lx-%lx %7s", &low, &high, rights) != 3 || strstr(line, "[v"))
			continue;
		for (uintptr_t at = low; at < high; at += sizeof(window) - 256) {
			size_t want = high - at < sizeof(window) ? high - at : sizeof(window);
			struct iovec here = { window, want }, there = { (void *)at, want };
			ssize_t got = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
			if (got < 0)
				break;
			searched += got;
			if ((uintptr_t)window < at + got && (uintptr_t)window + sizeof(window) > at)
				continue;
			for (ssize_t i = 0; i + (ssize_t)length <= got; i++) {
				size_t k = 0;
				while (k < length && (window[i + k] ^ 0x55) == secret[k])
					k++;
				if (k == length)
					BROKE("the token is in memory at %lx (%.40s)", at + i, line);
			}
			memset(window, 0, sizeof(window));
		}
	}
	for (char **at = environ; *at; at++)
		if (strstr(*at, argv[1]) || strstr(*at, "TOKEN") || strncmp(*at, "HPOOL_SECRET", 12) == 0)
			BROKE("environment: %s", *at);
	HELD("%s memory searched", searched > 100000 ? "all" : "little");
	return 0;
}
