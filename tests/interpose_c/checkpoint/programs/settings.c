/* What a process has set for itself: limits, mask of new files, directory, nice, name, descriptors, locks. */
#include "again.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	struct rlimit limit = { 200, 300 }, core = { 0, 0 }, back;
	struct stat at, there;
	char name[16], where[100];
	struct flock range = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };
	CHECK(mkdir("/tmp/deep", 0700) == 0 && chdir("/tmp/deep") == 0);
	umask(037);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && setrlimit(RLIMIT_CORE, &core) == 0);
	CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0 && prctl(PR_SET_NAME, "settled") == 0);
	int file = open("file", O_RDWR | O_CREAT | O_APPEND, 0666), directory = open(".", O_RDONLY | O_DIRECTORY);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), path = open("file", O_PATH),
	    proc = open("/proc/self/comm", O_RDONLY);
	CHECK(write(file, "0123456789abcdef", 16) == 16 && lseek(file, 4, SEEK_SET) == 4 && dup2(file, 150) == 150);
	CHECK(symlink("file", "link") == 0 && link("file", "hard") == 0 && chmod("file", 0604) == 0);
	int second = open("file", O_RDONLY);
	CHECK(flock(second, LOCK_EX) == 0 && fcntl(file, F_SETLK, &range) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	linger();
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &back) == 0 && back.rlim_cur == 200 && back.rlim_max == 300);
	CHECK(getrlimit(RLIMIT_CORE, &back) == 0 && back.rlim_max == 0);
	CHECK(umask(0) == 037 && getpriority(PRIO_PROCESS, 0) == 5 && prctl(PR_GET_NAME, name) == 0 &&
	      !strcmp(name, "settled"));
	CHECK(getcwd(where, sizeof where) && !strcmp(where, "/tmp/deep"));
	CHECK(lseek(150, 0, SEEK_CUR) == 4 && read(file, where, 2) == 2 && where[0] == '4' &&
	      lseek(150, 0, SEEK_CUR) == 6);
	CHECK(write(150, "g", 1) == 1 && fstat(file, &at) == 0 && at.st_size == 17 && (at.st_mode & 0777) == 0604);
	CHECK(fstat(path, &there) == 0 && there.st_ino == at.st_ino && fcntl(path, F_GETFL) & O_PATH &&
	      at.st_nlink == 2);
	CHECK(fstatat(directory, "link", &there, 0) == 0 && there.st_ino == at.st_ino &&
	      readlink("link", where, 10) == 4);
	CHECK(stat("hard", &there) == 0 && there.st_ino == at.st_ino);
	CHECK(fcntl(null, F_GETFD) == FD_CLOEXEC && write(null, "x", 1) == 1 && pread(proc, where, 8, 0) == 8 &&
	      !memcmp(where, "settled", 7));
	pid_t child = fork();
	if (child == 0) {
		int other = open("file", O_RDWR);
		range.l_type = F_WRLCK;
		CHECK(flock(other, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK);
		CHECK(fcntl(other, F_GETLK, &range) == 0 && range.l_type == F_WRLCK && range.l_start == 10 &&
		      range.l_pid == getppid());
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	(void)argc;
	(void)argv;
	return done();
}
