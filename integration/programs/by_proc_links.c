/* Names and files reached through links of /proc: what is done there is done to the name itself. */
#include <linux/openat2.h>
#include "say.h"

static long in_root(int dir, const char *name, uint64_t flags)
{
	struct open_how how = { .flags = flags, .resolve = RESOLVE_IN_ROOT };
	return syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

int main(void)
{
	char base[64], name[128], other[128];
	struct stat st;
	int dir = MUST(open("dir", O_RDONLY)), file = MUST(open("small.txt", O_RDWR));

	snprintf(base, sizeof base, "/proc/self/fd/%d", dir);
#define BELOW(text) (snprintf(name, sizeof name, "%s/%s", base, text), name)
#define AND_BELOW(text) (snprintf(other, sizeof other, "%s/%s", base, text), other)
	TRY(rename(BELOW("a"), AND_BELOW("renamed")));
	TRY(link(BELOW("renamed"), AND_BELOW("linked")));
	TRY(link(BELOW("renamed"), AND_BELOW("linked")));
	TRY(unlink(BELOW("linked")));
	TRY(unlink(BELOW("linked")));
	TRY(symlink("renamed", BELOW("pointer")));
	TRY(link(BELOW("pointer"), AND_BELOW("pointer2")));
	TRY(unlink(BELOW("pointer")));
	TRY(mkdir(BELOW("made"), 0755));
	TRY(mkdir(BELOW("made/"), 0755));
	TRY(unlink(BELOW("made")));
	TRY(rmdir(BELOW("renamed")));
	TRY(rmdir(BELOW("made/")));
	TRY(rmdir(BELOW(".")));
	TRY(rmdir(BELOW("..")));
	TRY(rmdir(base));
	TRY(unlink(base));
	TRY(unlink("/proc/self/cwd/dir/b"));
	TRY(rename("/proc/self/cwd/lines.txt", "/proc/self/cwd/dir/moved"));
	TRY(rename("/proc/self/cwd/dir/moved", "here"));
	TRY(unlink("/proc/self/cwd/empty/"));
	TRY(rmdir("/proc/self/cwd/emptydir"));
	TRY(rmdir("/proc/self/cwd"));
	TRY(unlink("/proc/self/exe"));
	TRY(access("emptydir", F_OK));
	TRY(access("dir/b", F_OK));
	TRY(access("here", F_OK));
	TRY(access("dir/pointer2", F_OK));

	snprintf(base, sizeof base, "/proc/self/fd/%d", file);
	TRY(unlink(base));
	TRY(unlink("small.txt"));
	VALUE(write(file, "written", 7));
	TRY(open(base, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	MUST(fstat(file, &st));
	printf("size %ld, links %ld\n", (long)st.st_size, (long)st.st_nlink);
	VALUE(write(file, "again", 5));
	VALUE(pread(file, name, 64, 0));

	int program = MUST(open("/proc/self/exe", O_PATH));
	MUST(fstat(program, &st));
	MUST(stat("/proc/self/exe", &st));
	struct stat opened;
	MUST(fstat(program, &opened));
	YES(same_file(&st, &opened) && st.st_mode == opened.st_mode);
	TRY(open("", O_TMPFILE | O_RDWR, 0600));
	TRY(in_root(dir, "/etc/passwd/", O_PATH));
	TRY(in_root(dir, "/sub/deep", O_PATH));
	TRY(in_root(dir, "//c", O_PATH));
	TRY(in_root(dir, "/", O_PATH));
	TRY(in_root(dir, NOWHERE, O_PATH));
	TRY(in_root(dir, NULL, O_PATH));
	TRY(in_root(dir, "", O_PATH));
	return 0;
}
