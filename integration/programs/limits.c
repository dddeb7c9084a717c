/* Resource limits work and are inherited: open files, file size, address space, priority. */
#include <sys/resource.h>
#include "say.h"

int main(void)
{
	struct rlimit files = { 20, 20 }, size = { 5000, 5000 }, back;
	MUST(getrlimit(RLIMIT_NOFILE, &back));
	YES(back.rlim_cur >= 256);
	TRY(setrlimit(RLIMIT_NOFILE, &files));
	TRY(getrlimit(RLIMIT_NOFILE, &back));
	printf("%ld %ld\n", (long)back.rlim_cur, (long)back.rlim_max);
	int opened = 0;
	while (open("small.txt", O_RDONLY) >= 0)
		opened++;
	printf("%d until %s\n", opened, strerrorname_np(errno));
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	signal(SIGXFSZ, SIG_IGN);
	TRY(setrlimit(RLIMIT_FSIZE, &size));
	int fd = MUST(open("limited", O_WRONLY | O_CREAT, 0644));
	static char block[4000];
	VALUE(write(fd, block, sizeof(block)));
	VALUE(write(fd, block, sizeof(block)));
	VALUE(write(fd, block, sizeof(block)));
	TRY(ftruncate(fd, 6000));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		signal(SIGXFSZ, SIG_DFL);
		write(fd, block, 1);
		_exit(0);
	}
	show_wait("beyond", pid);
	VALUE(getpriority(PRIO_PROCESS, 0));
	TRY(setpriority(PRIO_PROCESS, 0, 5));
	VALUE(getpriority(PRIO_PROCESS, 0));
	VALUE(nice(3));
	VALUE(sysconf(_SC_OPEN_MAX));
	VALUE(sysconf(_SC_PAGESIZE));
	VALUE(sysconf(_SC_NPROCESSORS_ONLN) > 0);
	struct rusage usage;
	fill_memory();
	TRY(getrusage(RUSAGE_SELF, &usage));
	YES(usage.ru_maxrss > FILLED_KB);
	return 0;
}
