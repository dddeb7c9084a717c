/* abort: what was written before is at home, the rest of the buffers is lost as at home. */
#include <sys/resource.h>
#include "say.h"

int main(void)
{
	struct rlimit none = { 0, 0 };
	MUST(setrlimit(RLIMIT_CORE, &none));
	FILE *lost = fopen("lost", "w"), *kept = fopen("kept", "w");
	fputs("in the buffer only", lost);
	fputs("flushed", kept);
	fflush(kept);
	abort();
}
