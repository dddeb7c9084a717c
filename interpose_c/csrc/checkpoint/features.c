/* hpool-keeper features LOADER: what of this machine an image depends on, a word each on stdout.
 *
 * `xfeature:N` for each bit of XCR0, `vdso:SUM` and `loader:SUM` as a restore compares them. Owns: nothing
 * but the words. Leaves to others: instructions (the sandbox reads them), the comparison (restore.c).
 */
#include "dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

static size_t vdso_bytes(void)
{
	char line[256];
	uint64_t start, end;
	size_t bytes = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, "[vdso]") && sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2)
			bytes = end - start;
	if (maps)
		fclose(maps);
	return bytes;
}

int hp_features_main(int argc, char **argv)
{
	uint32_t bytes;
	const void *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
	if (argc != 3) {
		fputs("usage: hpool-keeper features LOADER\n", stderr);
		return 125;
	}
	for (unsigned bit = 0; bit < 64; bit++)
		if (hp_xfeatures() >> bit & 1)
			printf("xfeature:%u\n", bit);
	if (vdso)
		printf("vdso:%016" PRIx64 "\n", hp_image_sum(0, vdso, vdso_bytes()));
	printf("loader:%016" PRIx64 "\n", hp_file_sum(argv[2], &bytes));
	return fflush(stdout) ? 1 : 0;
}
