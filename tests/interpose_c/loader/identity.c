/* What a program finds of itself, and that brk follows its own data. args: as given */
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include "tell.h"

extern char **environ;
extern char __executable_start[], etext[], end[];
static int in_bss[100000];

static void dump(const char *name)
{
	char text[4096];
	int fd = open(name, O_RDONLY);
	ssize_t got = read(fd, text, sizeof text);

	close(fd);
	printf("%s:", name);
	for (ssize_t i = 0; i < got; i++)
		putchar(text[i] ? text[i] : '|');
	printf("\n");
}

static long stat_field(int number)
{
	char text[2048], *at;
	int fd = open("/proc/self/stat", O_RDONLY);
	ssize_t got = read(fd, text, sizeof text - 1);

	close(fd);
	text[got] = 0;
	at = strrchr(text, ')') + 2;
	for (int field = 3; field < number; field++)
		at = strchr(at, ' ') + 1;
	return atol(at);
}

static int count_auxv(struct dl_phdr_info *info, size_t size, void *seen)
{
	(void)info;
	(void)size;
	++*(int *)seen;
	return 0;
}

int main(int argc, char **argv)
{
	char name[17] = "", exe[4096] = "";
	Elf64_auxv_t auxv[64];
	int fd = open("/proc/self/auxv", O_RDONLY), objects = 0;
	ssize_t got = read(fd, auxv, sizeof auxv);
	char *first = sbrk(0), *second;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	close(fd);
	for (int i = 0; i < argc; i++)
		printf("argv %s\n", argv[i]);
	CHECK(argv[argc] == NULL);
	CHECK(((unsigned long)&argv[-1] & 15) == 0);
	for (char **at = environ; *at; at++)
		if (!strncmp(*at, "TELL", 4))
			printf("env %s\n", *at);
	dump("/proc/self/cmdline");
	printf("execfn %s\n", (char *)getauxval(AT_EXECFN));
	prctl(PR_GET_NAME, name);
	printf("name %s\n", name);
	dump("/proc/self/comm");
	if (readlink("/proc/self/exe", exe, sizeof exe - 1) > 0)
		printf("exe %s\n", exe);
	CHECK(getauxval(AT_PHNUM) > 0 && getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
	CHECK(getauxval(AT_ENTRY) >= (unsigned long)__executable_start && getauxval(AT_ENTRY) < (unsigned long)etext);
	CHECK(getauxval(AT_PHDR) > (unsigned long)__executable_start && getauxval(AT_PHDR) < (unsigned long)etext);
	CHECK(getauxval(AT_RANDOM) != 0 && getauxval(AT_SYSINFO_EHDR) != 0 && getauxval(AT_PAGESZ) == 4096);
	printf("%zd bytes of auxv, the last %lu\n", got % 16, auxv[got / 16 - 1].a_type);
	for (ssize_t i = 0; i < got / 16; i++)
		if (auxv[i].a_type == AT_ENTRY)
			CHECK(auxv[i].a_un.a_val == getauxval(AT_ENTRY));
	CHECK((unsigned long)stat_field(26) <= (unsigned long)etext);
	CHECK((unsigned long)stat_field(48) == (unsigned long)argv[0]);
	CHECK((unsigned long)stat_field(49) == (unsigned long)argv[argc - 1] + strlen(argv[argc - 1]) + 1);
	CHECK((unsigned long)stat_field(50) == (unsigned long)environ[0]);
#ifdef __PIE__
	if (getauxval(AT_BASE) == 0) /* a static PIE: the kernel keeps its heap apart */
		first = first >= end ? first : end + 1;
	else
#endif
		CHECK(first >= (char *)(in_bss + 100000) && first >= end);
	second = sbrk(1 << 20);
	CHECK(second != (char *)-1);
	memset(second, 1, 1 << 20);
	while (fgets(line, sizeof line, maps))
		if (strstr(line, "[heap]") || strstr(line, "[stack]") || strstr(line, "[vdso]"))
			printf("%s", strchr(line, '['));
	dl_iterate_phdr(count_auxv, &objects);
	printf("objects %d\n", objects);
	for (int i = 0; i < 100000; i++)
		if (in_bss[i])
			printf("bss is not zero\n");
	return 0;
}
