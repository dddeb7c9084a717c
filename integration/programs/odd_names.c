/* Names are bytes: Latin-1, control characters, newlines, leading dashes, in all calls and in listings. */
#include <dirent.h>
#include "say.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void)
{
	char *names[32];
	int count = 0;
	DIR *dir = opendir("odd");
	for (struct dirent *entry; (entry = readdir(dir));)
		names[count++] = strdup(entry->d_name);
	qsort(names, count, sizeof(*names), by_name);
	MUST(chdir("odd"));
	for (int i = 0; i < count; i++) {
		struct stat st;
		for (unsigned char *at = (unsigned char *)names[i]; *at; at++)
			printf("%02x", *at);
		printf(" size %ld\n", names[i][0] == '.' ? 0 : stat(names[i], &st) == 0 ? (long)st.st_size : -1);
	}
	TRY(open("caf\xe9", O_RDONLY));
	TRY(open("caf\xc3\xa9", O_RDONLY));
	TRY(open("\x80\x81\xfe", O_WRONLY | O_CREAT, 0644));
	TRY(rename("\xff\xfe", "\xfe\xff"));
	TRY(mkdir("\n", 0755));
	TRY(symlink("\x01\x02", "\x7f"));
	TRY(unlink("new\nline"));
	TRY(link("tab\tname", "\n/\xc0"));
	TRY(open(" ", O_WRONLY | O_CREAT, 0644));
	TRY(open("...", O_WRONLY | O_CREAT, 0644));
	TRY(mkdir("ends..", 0755));
	TRY(rmdir("ends.."));
	TRY(mkdir("....", 0755));
	TRY(rmdir("..../"));
	TRY(rmdir("..//"));
	TRY(open(".hidden", O_WRONLY | O_CREAT, 0644));
	TRY(open(".hpool", O_WRONLY | O_CREAT, 0644));
	return 0;
}
