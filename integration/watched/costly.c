/* Reads one big file and looks at one name in each of many directories; then, if asked to,
 * says so and waits for a byte. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char buffer[1 << 20];
	int fd = open("big", O_RDONLY), directories = atoi(argv[1]);
	struct stat status;
	ssize_t count;

	if (fd < 0)
		return 1;
	while ((count = read(fd, buffer, sizeof buffer)) > 0)
		;
	close(fd);
	for (int i = 0; i < directories; i++) {
		char name[64];

		snprintf(name, sizeof name, "many/%d/name", i);
		if (stat(name, &status))
			return 2;
	}
	for (int i = 0; i < 10000; i++)
		stat("many/0/name", &status);
	if (argc > 2) {
		puts("done");
		fflush(stdout);
		if (read(0, buffer, 1) != 1)
			return 3;
	}
	return count != 0;
}
