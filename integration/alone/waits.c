/* Waits in calls that a signal ends whatever SA_RESTART says; none of them may show that one came. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	char text[100];
	const struct timespec moment = { 0, 300000000 };
	struct timeval other = { 0, 300000 };
	puts("begun");
	fflush(stdout);
	printf("poll %d\n", poll(NULL, 0, 300));
	printf("nanosleep %d\n", nanosleep(&moment, NULL));
	printf("select %d\n", select(0, NULL, NULL, NULL, &other));
	ssize_t got = read(0, text, sizeof text);
	printf("read %zd\n", got);
	return 0;
}
