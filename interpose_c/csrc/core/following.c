/* Calls that follow a name and change nothing: readlink, chdir, watches. */
#include "core.h"

/* In the mirror a file by O_TMPFILE has a name; natively /proc says "#inode (deleted)". */
static long name_nameless(int dirfd, long path, long buffer, long size)
{
	static const char deleted[] = " (deleted)";
	char text[48] = "/#";
	unsigned length;
	struct hp_stat stat;

	if (hp_syscall4(__NR_newfstatat, dirfd, path, (long)&stat, 0))
		return -ENOENT;
	hp_overlay(&stat, NULL);
	length = (unsigned)(hp_put_number(text + 2, stat.ino) - text);
	memcpy(text + length, deleted, sizeof deleted);
	length += sizeof deleted - 1;
	if (length > size)
		length = (unsigned)size;
	return hp_user_write((void *)buffer, text, length) ? -EFAULT : (long)length;
}

static long read_link(int dirfd, long path, long buffer, long size)
{
	char alias[HP_EXE_MAX + 4];
	struct hp_moment before;
	const char *exe;
	long result;

	if (!hp_channel)
		return HP_PASS;
	before = hp_moment_now();
	result = hp_syscall4(__NR_readlinkat, dirfd, path, buffer, size);
	if (result == -ENOENT && hp_known_absent(dirfd, (const char *)path, &before))
		return result;
	for (int round = 0; (result == -ENOENT || result == -EACCES) && round < 4; round++) {
		if (!hp_fault(dirfd, (const char *)path, result, HP_WANT_STAT, true, &result))
			return result;
		result = hp_syscall4(__NR_readlinkat, dirfd, path, buffer, size);
	}
	if (result > (long)sizeof HP_NAMELESS_DIR &&
	    hp_user_read(alias, (const void *)buffer, sizeof HP_NAMELESS_DIR - 1) == 0 &&
	    memcmp(alias, HP_NAMELESS_DIR, sizeof HP_NAMELESS_DIR - 1) == 0)
		return name_nameless(dirfd, path, buffer, size);
	if (result >= 0 && (exe = hp_exe_alias((const char *)path, alias, sizeof alias)) != NULL) {
		long length = (long)hp_strlen(exe);

		result = length < size ? length : size;
		return hp_user_write((void *)buffer, exe, (unsigned long)result) ? -EFAULT : result;
	}
	return result;
}

long hp_call_readlink(struct hp_call *call)
{
	if ((int)call->arg[2] <= 0)
		return HP_PASS;
	return read_link(AT_FDCWD, call->arg[0], call->arg[1], (int)call->arg[2]);
}

long hp_call_readlinkat(struct hp_call *call)
{
	if ((int)call->arg[3] <= 0)
		return HP_PASS;
	return read_link((int)call->arg[0], call->arg[1], call->arg[2], (int)call->arg[3]);
}

static long simple_path_call(struct hp_call *call, enum hp_want want, bool nofollow, int path_argument)
{
	long result;

	if (!hp_channel)
		return HP_PASS;
	for (int round = 0;; round++) {
		result = hp_syscall6(call->nr, call->arg[0], call->arg[1], call->arg[2], call->arg[3], call->arg[4],
				     call->arg[5]);
		if ((result != -ENOENT && result != -EACCES) || round == 4)
			return result;
		if (!hp_fault(AT_FDCWD, (const char *)call->arg[path_argument], result, want, nofollow, &result))
			return result;
	}
}

long hp_call_chdir(struct hp_call *call)
{
	long result = simple_path_call(call, HP_WANT_DIR, false, 0);

	hp_place_changed();
	return result;
}

long hp_call_fchdir(struct hp_call *call)
{
	long result = hp_syscall1(__NR_fchdir, call->arg[0]);

	hp_place_changed();
	return result;
}

#define HP_IN_DONT_FOLLOW 0x02000000

#define HP_AT_FOLLOW 0x400

/* The mirror's handle: it tells files apart as home's would, and nobody in a job may open by one. */
long hp_call_name_to_handle_at(struct hp_call *call)
{
	long result;

	if (!hp_channel)
		return HP_PASS;
	for (int round = 0;; round++) {
		result = hp_syscall5(__NR_name_to_handle_at, call->arg[0], call->arg[1], call->arg[2], call->arg[3],
				     call->arg[4]);
		if ((result != -ENOENT && result != -EACCES) || round == 4)
			return result;
		if (!hp_fault((int)call->arg[0], (const char *)call->arg[1], result, HP_WANT_STAT,
			      !(call->arg[4] & HP_AT_FOLLOW), &result))
			return result;
	}
}

void hp_watches(void)
{
	__atomic_store_n(&hp_channel->watched, 1, __ATOMIC_SEQ_CST);
}

long hp_call_inotify_add_watch(struct hp_call *call)
{
	if (hp_channel)
		hp_watches();
	return simple_path_call(call, HP_WANT_READ, call->arg[2] & HP_IN_DONT_FOLLOW, 1);
}
