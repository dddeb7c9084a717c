/* getdents64 by hand: small buffers, end, types, a descriptor shared with a child. */
#include "say.h"

struct entry {
	uint64_t ino;
	int64_t off;
	unsigned short length;
	unsigned char type;
	char name[];
};

static int names(int fd, char *buffer, size_t room)
{
	long got, count = 0;
	while ((got = syscall(SYS_getdents64, fd, buffer, room)) > 0)
		for (long at = 0; at < got; at += ((struct entry *)(buffer + at))->length)
			count++;
	return got < 0 ? -errno : count;
}

int main(void)
{
	char buffer[32768];
	int fd = MUST(open("odd", O_RDONLY | O_DIRECTORY));
	VALUE(syscall(SYS_getdents64, fd, buffer, 8));
	printf("%d\n", names(fd, buffer, 48));
	printf("%d\n", names(fd, buffer, sizeof(buffer)));
	VALUE(lseek(fd, 0, SEEK_SET));
	printf("%d\n", names(fd, buffer, sizeof(buffer)));
	VALUE(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
	MUST(lseek(fd, 0, SEEK_SET));
	pid_t pid = MUST(fork());
	if (pid == 0)
		_exit(names(fd, buffer, sizeof(buffer)));
	show_wait("child", pid);
	printf("%d\n", names(fd, buffer, sizeof(buffer)));
	int file = MUST(open("small.txt", O_RDONLY));
	VALUE(syscall(SYS_getdents64, file, buffer, sizeof(buffer)));
	MUST(lseek(fd, 0, SEEK_SET));
	long got = MUST(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
	int good = 0, total = 0;
	for (long at = 0; at < got; at += ((struct entry *)(buffer + at))->length) {
		struct entry *entry = (struct entry *)(buffer + at);
		struct stat st;
		if (entry->name[0] == '.' && (entry->name[1] == 0 || entry->name[1] == '.'))
			continue;
		total++;
		MUST(fstatat(fd, entry->name, &st, AT_SYMLINK_NOFOLLOW));
		good += st.st_ino == entry->ino;
	}
	printf("%d of %d inode numbers agree with stat\n", good, total);
	return 0;
}
