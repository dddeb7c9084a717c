/* What an earlier job may have left: files, shared memory, semaphores, processes. */
#include <dirent.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include "attack.h"

int main(void)
{
	static const char *const places[] = { "/tmp", "/dev/shm", "/var/tmp" };
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		DIR *dir = opendir(places[i]);
		for (struct dirent *entry; dir && (entry = readdir(dir));)
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				BROKE("found %s/%s", places[i], entry->d_name);
		HELD("%s is empty", places[i]);
	}
	MUST_FAIL(shmget(0x4850, 4096, 0));
	MUST_FAIL(semget(0x4850, 1, 0));
	MUST_FAIL(msgget(0x4850, 0));
	int others = 0;
	DIR *proc = opendir("/proc");
	for (struct dirent *entry; proc && (entry = readdir(proc));)
		others += atoi(entry->d_name) > 1 && atoi(entry->d_name) != getpid();
	if (others)
		BROKE("%d processes of others", others);
	return 0;
}
