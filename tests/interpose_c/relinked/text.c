/* Makes some calls often, then says of each mapped file how many places of its text are not as in the file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long own_call(long nr, long a)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a) : "rcx", "r11", "memory");
	return result;
}

static void work(void)
{
	const struct timespec moment = { .tv_nsec = 1 };
	struct stat status;
	char bytes[64];

	for (int i = 0; i < 20; i++) {
		int fd = open("/etc/passwd", O_RDONLY);

		if (read(fd, bytes, sizeof bytes) != sizeof bytes || fstat(fd, &status) || own_call(SYS_fsync, -1) >= 0)
			printf("odd\n");
		lseek(fd, 0, SEEK_SET);
		close(fd);
		access("/etc", R_OK);
		getppid();
		nanosleep(&moment, NULL);
	}
}

static long changes(const unsigned char *text, const unsigned char *file, unsigned long bytes)
{
	long count = 0;

	for (unsigned long i = 0; i < bytes; i++) {
		count += text[i] != file[i] && (i == 0 || text[i - 1] == file[i - 1]);
	}
	return count;
}

int main(void)
{
	char line[512], name[256], last[256] = "", rights[8];
	unsigned long start, end, offset;
	FILE *maps;
	long count = 0;

	work();
	maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps)) {
		struct stat status;
		void *file;
		int fd;

		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, rights, &offset, name) != 5 ||
		    rights[2] != 'x' || name[0] != '/' || strstr(name, "hpool-loader"))
			continue;
		fd = open(name, O_RDONLY);
		if (fd < 0 || fstat(fd, &status))
			return 1;
		file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
		if (end - start > (unsigned long)status.st_size - offset)
			end = start + (unsigned long)status.st_size - offset;
		if (last[0] && strcmp(last, name)) {
			printf("text %s %ld\n", last, count);
			count = 0;
		}
		strcpy(last, name);
		count += changes((const unsigned char *)start, (const unsigned char *)file + offset, end - start);
		munmap(file, (size_t)status.st_size);
	}
	printf("text %s %ld\n", last, count);
	return 0;
}
