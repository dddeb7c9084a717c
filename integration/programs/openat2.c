/* openat2 and its RESOLVE_ flags. */
#include <linux/openat2.h>
#include "say.h"

static long open2(int dir, const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };
	return syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

int main(void)
{
	int d = MUST(open("dir", O_RDONLY | O_DIRECTORY));
	TRY(open2(AT_FDCWD, "small.txt", O_RDONLY, 0));
	TRY(open2(AT_FDCWD, "dirlink/a", O_RDONLY, RESOLVE_NO_SYMLINKS));
	TRY(open2(AT_FDCWD, "dir/a", O_RDONLY, RESOLVE_NO_SYMLINKS));
	TRY(open2(d, "../small.txt", O_RDONLY, RESOLVE_BENEATH));
	TRY(open2(d, "sub/../a", O_RDONLY, RESOLVE_BENEATH));
	TRY(open2(d, "/etc/passwd", O_RDONLY, RESOLVE_BENEATH));
	TRY(open2(d, "/a", O_RDONLY, RESOLVE_IN_ROOT));
	TRY(open2(d, "../../b", O_RDONLY, RESOLVE_IN_ROOT));
	TRY(open2(d, "absent", O_RDONLY, RESOLVE_IN_ROOT));
	TRY(open2(AT_FDCWD, "/proc/self/fd/0", O_RDONLY, RESOLVE_NO_MAGICLINKS));
	TRY(open2(d, "sub/deep/leaf.txt", O_RDONLY, RESOLVE_NO_XDEV));
	MUST(symlinkat("/b", d, "absolute"));
	TRY(open2(d, "absolute", O_RDONLY, RESOLVE_IN_ROOT));
	TRY(open2(d, "absolute", O_RDONLY, RESOLVE_BENEATH));
	TRY(open2(AT_FDCWD, "small.txt", O_RDONLY, 1 << 20));
	TRY(open2(AT_FDCWD, "small.txt", 1ul << 40, 0));
	struct open_how how = { .flags = O_WRONLY | O_CREAT | O_EXCL, .mode = 0640 };
	TRY(syscall(SYS_openat2, d, "fresh", &how, sizeof(how)));
	TRY(syscall(SYS_openat2, d, "fresh", &how, sizeof(how)));
	TRY(syscall(SYS_openat2, d, "fresh2", &how, 8));
	return 0;
}
