/* POSIX shared memory and semaphores, System V shared memory, process-shared mutexes. */
#include <pthread.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include "say.h"

int main(void)
{
	char name[64];
	snprintf(name, sizeof(name), "/hpool-test-%d", getpid());
	int fd = TRY(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
	TRY(ftruncate(fd, 4096));
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pthread_mutex_t *mutex = (pthread_mutex_t *)(shared + 16);
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex, &attributes);
	sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
	YES(semaphore != SEM_FAILED);
	for (int child = 0; child < 4; child++)
		if (MUST(fork()) == 0) {
			for (int i = 0; i < 10000; i++) {
				pthread_mutex_lock(mutex);
				++*shared;
				pthread_mutex_unlock(mutex);
			}
			sem_post(semaphore);
			_exit(0);
		}
	for (int child = 0; child < 4; child++)
		sem_wait(semaphore);
	while (wait(NULL) > 0)
		;
	printf("%d\n", *shared);
	TRY(sem_unlink(name));
	TRY(shm_unlink(name));
	TRY(shm_open(name, O_RDWR, 0));
	int id = TRY(shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600));
	char *old = shmat(id, NULL, 0);
	YES(old != (void *)-1);
	strcpy(old, "system five");
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(strcmp(old, "system five") != 0);
	show_wait("child", pid);
	TRY(shmctl(id, IPC_RMID, NULL));
	return 0;
}
