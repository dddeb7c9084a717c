/* Six processes write the same file at once, each its own places, by every way of writing there is, and read
 * back what they wrote; meanwhile the file grows, is opened anew, linked and renamed. */
#include "say.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

enum { WORKERS = 6, ROUNDS = 160, SLOT = 24, PAGES = 6 };

static off_t place(int worker, int page)
{
	return (off_t)page * 70000 + worker * SLOT; /* in several blocks */
}

static void write_by(int how, int fd, const char *text, off_t at)
{
	struct iovec parts[2] = { { (void *)text, 7 }, { (void *)(text + 7), SLOT - 7 } };
	int other, ends[2];
	char *map;
	switch (how) {
	case 0:
		MUST(pwrite(fd, text, SLOT, at));
		break;
	case 1:
		MUST(pwritev(fd, parts, 2, at));
		break;
	case 2:
		MUST(lseek(fd, at, SEEK_SET));
		MUST(write(fd, text, SLOT));
		break;
	case 3:
		map = mmap(NULL, 4096 + at % 4096 + SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at & ~4095l);
		memcpy(map + at % 4096, text, SLOT);
		MUST(munmap(map, 4096 + at % 4096 + SLOT));
		break;
	case 4:
		MUST(pipe(ends));
		MUST(write(ends[1], text, SLOT));
		MUST(splice(ends[0], NULL, fd, &at, SLOT, 0));
		close(ends[0]);
		close(ends[1]);
		break;
	case 5:
		other = (int)MUST(memfd_create("text", 0));
		MUST(write(other, text, SLOT));
		MUST(lseek(other, 0, SEEK_SET));
		MUST(lseek(fd, at, SEEK_SET));
		MUST(sendfile(fd, other, NULL, SLOT));
		close(other);
		break;
	}
}

static void work(int worker)
{
	static const char *names[] = { "content", "content.link" };
	unsigned seed = (unsigned)worker * 31337 + 5;
	char text[SLOT + 1], back[SLOT + 1] = "";
	int log = (int)MUST(open("log", O_WRONLY | O_APPEND | O_CREAT, 0600));
	for (int round = 0; round < ROUNDS; round++) {
		int fd = (int)MUST(open(names[rand_r(&seed) % 2], O_RDWR)), how = rand_r(&seed) % 6;
		off_t at = place(worker, rand_r(&seed) % PAGES);
		snprintf(text, sizeof text, "%d:%05d:%d by worker %d", worker, round, how, worker);
		write_by(how, fd, text, at);
		if (rand_r(&seed) % 8 == 0)
			MUST(fsync(fd));
		if (rand_r(&seed) % 3 == 0) {
			close(fd);
			fd = (int)MUST(open(names[rand_r(&seed) % 2], O_RDONLY));
		}
		MUST(pread(fd, back, SLOT, at));
		if (memcmp(back, text, SLOT))
			printf("worker %d round %d, way %d: %.24s\n", worker, round, how, back);
		close(fd);
		MUST(dprintf(log, "%d %d\n", worker, round));
	}
	int fd = (int)MUST(open("content", O_RDWR));
	for (int page = 0; page < PAGES; page++) {
		snprintf(text, sizeof text, "%d ended with page %d   ", worker, page);
		write_by((worker + page) % 6, fd, text, place(worker, page));
	}
	exit(0);
}

int main(void)
{
	int fd = (int)MUST(open("content", O_RDWR | O_CREAT, 0600)), next[WORKERS] = { 0 }, worker, round;
	MUST(ftruncate(fd, PAGES * 70000));
	MUST(link("content", "content.link"));
	for (worker = 0; worker < WORKERS; worker++)
		if (fork() == 0)
			work(worker);
	for (int status; wait(&status) > 0;)
		if (status)
			printf("a worker ended with %d\n", status);
	FILE *log = fopen("log", "r");
	while (fscanf(log, "%d %d", &worker, &round) == 2)
		if (round != next[worker]++)
			printf("worker %d: line %d is not next\n", worker, round);
	fclose(log);
	for (worker = 0; worker < WORKERS; worker++)
		printf("%d lines of %d\n", next[worker], worker);
	for (int page = 0; page < PAGES; page++)
		for (worker = 0; worker < WORKERS; worker++) {
			char text[SLOT + 1] = "";
			pread(fd, text, SLOT, place(worker, page));
			printf("%s\n", text);
		}
	unlink("log");
	return 0;
}
