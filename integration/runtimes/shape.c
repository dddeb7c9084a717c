/* What an executable of any shape finds around it: printed as relations, so that two honest runs agree. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;
int zeros[100000], words[1000] = { 1, 2, 3 };

static int segment(struct dl_phdr_info *info, size_t size, void *seen)
{
	(void)size;
	if (!*(int *)seen)
		printf("segments %d\n", info->dlpi_phnum);
	*(int *)seen = 1;
	return 0;
}

static void own_maps(void)
{
	char line[4096], rights[8], exe[4096] = "";
	unsigned long from, to;
	int of_main = 0, stack_exec = 0, named = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	readlink("/proc/self/exe", exe, sizeof exe - 1);
	while (fgets(line, sizeof line, maps)) {
		sscanf(line, "%lx-%lx %7s", &from, &to, rights);
		if ((unsigned long)(void *)own_maps >= from && (unsigned long)(void *)own_maps < to)
			of_main = rights[2] == 'x', named = strstr(line, strrchr(exe, '/')) != NULL;
		if (strstr(line, "[stack]"))
			stack_exec = rights[2] == 'x';
	}
	fclose(maps);
	printf("main executable %d named %d, stack executable %d, exe %s\n", of_main, named, stack_exec,
	       strrchr(exe, '/'));
}

int main(int argc, char **argv)
{
	char line[64] = "";
	int file = open("small.txt", O_RDONLY), seen = 0, sum = 0;
	const ElfW(Phdr) *headers = (void *)getauxval(AT_PHDR);

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < argc; i++)
		printf("arg %s\n", strrchr(argv[i], '/') ? strrchr(argv[i], '/') : argv[i]);
	for (int i = 0; i < 100000; i++)
		sum += zeros[i];
	printf("zeros %d words %d\n", sum, words[0] + words[1] + words[2] + words[999]);
	read(file, line, 5);
	printf("read %s\n", line);
	printf("phdr %d phnum %lu phent %lu entry %d pagesz %lu secure %lu base %d\n",
	       headers && headers->p_type == PT_PHDR, getauxval(AT_PHNUM), getauxval(AT_PHENT),
	       getauxval(AT_ENTRY) != 0, getauxval(AT_PAGESZ), getauxval(AT_SECURE), getauxval(AT_BASE) != 0);
	printf("execfn %s platform %s random %d uid %d\n", strrchr((char *)getauxval(AT_EXECFN), '/'),
	       (char *)getauxval(AT_PLATFORM), getauxval(AT_RANDOM) != 0, getauxval(AT_UID) == getuid());
	printf("heap grows %d\n", sbrk(10000) != (void *)-1 && malloc(300000) != NULL);
	printf("environment %d\n", environ[0] != NULL);
	dl_iterate_phdr(segment, &seen);
	own_maps();
	return 42;
}
