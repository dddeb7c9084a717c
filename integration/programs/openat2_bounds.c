/* openat2: how far RESOLVE_BENEATH and RESOLVE_IN_ROOT let `..`, links and absolute names go. */
#include <linux/openat2.h>
#include "say.h"

static int dir;

static long in(const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	struct stat st;
	if (fd >= 0 && fstat(fd, &st) == 0)
		printf("(%s %ld) ", S_ISDIR(st.st_mode) ? "dir" : "file", S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
	return fd;
}

int main(void)
{
	struct open_how small = { .flags = O_RDONLY };
	dir = MUST(open("dir", O_PATH | O_DIRECTORY));
	MUST(symlink("../../../a", "dir/up"));
	MUST(symlink("sub/../a", "dir/round"));
	MUST(symlink("/proc/self/exe", "dir/magic"));
	MUST(symlink("self", "dir/self"));
	TRY(in("round", O_RDONLY, 0, RESOLVE_BENEATH));
	TRY(in("up", O_RDONLY, 0, RESOLVE_BENEATH));
	TRY(in("up", O_RDONLY, 0, RESOLVE_IN_ROOT));
	TRY(in("..", O_RDONLY, 0, RESOLVE_BENEATH));
	TRY(in("..", O_RDONLY, 0, RESOLVE_IN_ROOT));
	TRY(in("/", O_RDONLY, 0, RESOLVE_IN_ROOT));
	TRY(in("/sub/./deep/../..", O_RDONLY, 0, RESOLVE_IN_ROOT));
	TRY(in("self", O_RDONLY, 0, RESOLVE_IN_ROOT));
	TRY(in("self", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	TRY(in("self", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
	TRY(in("magic", O_RDONLY, 0, RESOLVE_NO_XDEV));
	TRY(in("new", O_WRONLY | O_CREAT | O_EXCL, 0600, RESOLVE_BENEATH));
	TRY(in("/rooted", O_WRONLY | O_CREAT, 0600, RESOLVE_IN_ROOT));
	TRY(in("../out", O_WRONLY | O_CREAT, 0600, RESOLVE_BENEATH));
	TRY(in("../inside", O_WRONLY | O_CREAT, 0600, RESOLVE_IN_ROOT));
	TRY(in("a", O_RDONLY, 0600, 0));
	TRY(in("made", O_WRONLY | O_CREAT, 01000000, 0));
	TRY(in("a", O_RDONLY | O_PATH | O_TRUNC, 0, 0));
	TRY(in("a", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	TRY(syscall(SYS_openat2, dir, "a", &small, 4));
	TRY(syscall(SYS_openat2, dir, "a", &small, 0));
	TRY(syscall(SYS_openat2, dir, "a", NOWHERE, sizeof(small)));
	struct {
		struct open_how how;
		uint64_t more;
	} larger = { { .flags = O_RDONLY }, 0 };
	TRY(syscall(SYS_openat2, dir, "a", &larger, sizeof(larger)));
	larger.more = 1;
	TRY(syscall(SYS_openat2, dir, "a", &larger, sizeof(larger)));
	TRY(in("a", O_RDONLY, 0, RESOLVE_CACHED));
	return 0;
}
