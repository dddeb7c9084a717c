/* What mode a new file gets: the asked one less the umask, for every way to make one. */
#include "say.h"

static void mode_of(const char *name)
{
	struct stat st;
	MUST(lstat(name, &st));
	printf("%s %o\n", name, st.st_mode);
}

int main(void)
{
	umask(0);
	MUST(open("m777", O_CREAT | O_WRONLY, 0777));
	MUST(open("m4755", O_CREAT | O_WRONLY, 04755));
	MUST(open("m000", O_CREAT | O_RDWR, 0));
	MUST(creat("m640", 0640));
	MUST(mkdir("d1777", 01777));
	MUST(mknod("n600", S_IFREG | 0600, 0));
	printf("old umask %o\n", umask(027));
	MUST(open("u777", O_CREAT | O_WRONLY, 0777));
	MUST(mkdir("du777", 0777));
	MUST(mkfifo("fu666", 0666));
	umask(0777);
	MUST(open("zero", O_CREAT | O_WRONLY, 0666));
	TRY(open("zero", O_RDONLY));
	umask(022);
	MUST(symlink("anywhere", "sym"));
	const char *names[] = { "m777", "m4755", "m000",  "m640", "d1777", "n600",
				"u777", "du777", "fu666", "zero", "sym" };
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		mode_of(names[i]);
	for (int in_tmp = 0; in_tmp < 2; in_tmp++) {
		/* once more what has been made is not asked whether it may be written */
		char tmp[] = "/tmp/modes-XXXXXX";
		if (in_tmp && (!mkdtemp(tmp) || chdir(tmp)))
			return 1;
		TRY(write(open("new444", O_CREAT | O_TRUNC | O_WRONLY, 0444), "abc", 3));
		TRY(write(open("new444", O_CREAT | O_TRUNC | O_WRONLY, 0444), "abc", 3));
		TRY(open("new000", O_CREAT | O_TRUNC | O_RDONLY, 0));
		TRY(open("new000", O_CREAT | O_TRUNC | O_RDONLY, 0));
		TRY(write(open("new644", O_CREAT | O_TRUNC | O_RDWR, 0644), "abc", 3));
		TRY(write(open("new644", O_EXCL | O_TRUNC | O_RDWR), "d", 1));
		TRY(open("new644", O_CREAT | O_EXCL | O_TRUNC | O_RDWR, 0644));
		mode_of("new444");
		TRY(truncate("new644", 0));
		if (in_tmp && (unlink("new444") || unlink("new000") || unlink("new644") || rmdir(tmp)))
			return 1;
	}
	return 0;
}
