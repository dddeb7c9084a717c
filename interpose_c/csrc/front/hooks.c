/* What happens at the hooks of sys.h when no core is linked in, or no mirror is
 * there: plain Linux. */
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <asm/stat.h>
#include <asm/statfs.h>

#include "front.h"

#define WEAK __attribute__((weak))
#define ST_NOEXEC 8
#define X_OK 1

WEAK void hp_after_fork(void)
{
}

WEAK void hp_count_calls(void)
{
}

WEAK void hp_report_refused(const struct hp_call *call, int error)
{
	(void)call;
	(void)error;
}

WEAK void hp_seen_begin(const struct hp_recorded *call)
{
	(void)call;
}

WEAK void hp_seen_end(const struct hp_recorded *call, long result, bool passed)
{
	(void)call;
	(void)result;
	(void)passed;
}

WEAK bool hp_crash_piece(enum hp_crash_piece piece, const void *bytes, uint32_t length)
{
	(void)piece;
	(void)bytes;
	(void)length;
	return false;
}

WEAK bool hp_program_takes_gs(int fd)
{
	(void)fd;
	return false;
}

WEAK long hp_open_program(const char *path)
{
	return hp_syscall4(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
}

static long name_of(int fd, char *room, unsigned size)
{
	char link[HP_FD_LINK_MAX];
	long length = hp_syscall4(__NR_readlinkat, AT_FDCWD, (long)hp_fd_link(link, fd), (long)room, size - 1);

	if (length < 0)
		return length;
	room[length] = 0;
	return 0;
}

static long may_execute(int fd)
{
	struct statfs mount;
	struct stat stat;
	long failed = hp_syscall4(__NR_newfstatat, fd, (long)"", (long)&stat, AT_EMPTY_PATH);

	if (failed)
		return failed;
	if (S_ISLNK(stat.st_mode))
		return -ELOOP;
	if (!S_ISREG(stat.st_mode))
		return -EACCES;
	if (hp_syscall2(__NR_fstatfs, fd, (long)&mount) == 0 && mount.f_flags & ST_NOEXEC)
		return -EACCES;
	failed = hp_syscall4(__NR_faccessat2, fd, (long)"", X_OK, AT_EMPTY_PATH | AT_EACCESS);
	if (failed == -ENOSYS)
		failed = stat.st_mode & 0111 ? 0 : -EACCES;
	return failed;
}

/* Our own /proc/self/exe is the loader. */
static bool is_self(const char *path)
{
	return hp_text_equal(path, "/proc/self/exe") || hp_text_equal(path, "/proc/thread-self/exe");
}

WEAK long hp_exec_prepare(const char *path, int dirfd, int flags, char *resolved, unsigned room)
{
	bool given = flags & AT_EMPTY_PATH && !path[0];
	long fd, failed;

	if (is_self(path))
		path = hp_self_exe();
	fd = given ? dirfd :
		     hp_syscall4(__NR_openat, dirfd, (long)path,
				 O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
	if (fd < 0)
		return fd == -EBADF && !path[0] ? -ENOENT : fd;
	failed = may_execute((int)fd);
	if (!failed)
		failed = name_of((int)fd, resolved, room);
	if (!given)
		hp_syscall1(__NR_close, fd);
	return failed;
}
