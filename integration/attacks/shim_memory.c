/* The shim's own memory: unmapped, overwritten, made writable; whatever happens, only this job suffers. */
#include "bypass.h"

int main(int argc, char **argv)
{
	char line[512];
	uintptr_t low, high;
	(void)argc;
	bypass_start();
	static uintptr_t ranges[64][2];
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &low, &high) != 2)
			continue;
		for (unsigned g = 0; g < gate_count && count < 64; g++)
			if (gates[g] >= low && gates[g] < high) {
				ranges[count][0] = low, ranges[count++][1] = high;
				break;
			}
		if (strstr(line, ".hpool") && count < 64)
			ranges[count][0] = low, ranges[count++][1] = high;
	}
	printf("%d ranges\n", count);
	for (int i = 0; i < count; i++) {
		low = ranges[i][0], high = ranges[i][1];
		IN_CHILD("munmap", {
			long got = munmap((void *)low, high - low);
			HELD("munmap: %s", got ? strerrorname_np(errno) : "done");
			int fd = open(argv[1], O_RDONLY);
			if (fd >= 0)
				BROKE("opened %s without the shim", argv[1]);
		});
		IN_CHILD("mprotect", {
			long got = mprotect((void *)low, high - low, PROT_READ | PROT_WRITE | PROT_EXEC);
			HELD("mprotect: %s", got ? strerrorname_np(errno) : "done");
			memset((void *)low, 0x90, 16);
		});
		IN_CHILD("map over", {
			void *got = mmap((void *)low, high - low, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
					 -1, 0);
			HELD("map over: %s", got == MAP_FAILED ? strerrorname_np(errno) : "done");
			open(argv[1], O_RDONLY);
		});
	}
	HELD("the shim's text");
	fflush(stdout);
	/* Scribble over everything of it, the channel too: the starter has to survive whatever it reads there. This job may
	 * hang over it, and be ended from outside. */
	alarm(10);
	static unsigned char junk[1 << 16];
	for (unsigned k = 0; k < sizeof(junk); k++)
		junk[k] = k * 2654435761u >> 13;
	int mem = open("/proc/self/mem", O_RDWR);
	for (int i = count - 1; i >= 0; i--) {
		for (uintptr_t at = ranges[i][0]; at < ranges[i][1] && at < ranges[i][0] + (64 << 20);
		     at += sizeof(junk))
			if (pwrite(mem, junk, ranges[i][1] - at < sizeof(junk) ? ranges[i][1] - at : sizeof(junk), at) <
			    0)
				break;
		for (int k = 0; k < 100; k++)
			open("big.bin", O_RDONLY);
	}
	HELD("the end was reached");
	return 0;
}
