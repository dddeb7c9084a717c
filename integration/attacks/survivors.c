/* Children that try to outlive the job: own sessions, double forks, ignored signals; and things left lying. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include "attack.h"

int main(void)
{
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	for (int child = 0; child < 5; child++)
		if (fork() == 0) {
			setsid();
			if (fork() != 0)
				_exit(0);
			for (long beat = 0;; beat++) {
				int fd = open("heartbeat", O_WRONLY | O_CREAT | O_APPEND, 0644);
				dprintf(fd, "%d %ld\n", child, beat);
				close(fd);
				usleep(10000);
			}
		}
	while (wait(NULL) > 0)
		;
	shmget(0x4850, 4096, IPC_CREAT | 0666);
	semget(0x4850, 1, IPC_CREAT | 0666);
	msgget(0x4850, IPC_CREAT | 0666);
	static const char *const left[] = { "/tmp/left-behind", "/dev/shm/left-behind", "/var/tmp/left-behind" };
	for (unsigned i = 0; i < sizeof(left) / sizeof(*left); i++) {
		int fd = open(left[i], O_WRONLY | O_CREAT, 0666);
		if (fd >= 0)
			dprintf(fd, "for the next job\n");
	}
	usleep(200000);
	HELD("ended with five survivors");
	return 0;
}
