/* No network by default: not the submitter's side, not the machine's own services, only the job's own loopback.
 * argv: address port, of the test pool itself.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "attack.h"

static void must_not_connect(const char *address, int port, int type)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET, address, &to.sin_addr);
	int error = fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
	if (error == EINPROGRESS) {
		struct pollfd answer = { .fd = fd, .events = POLLOUT };
		socklen_t length = sizeof(error);
		error = poll(&answer, 1, 1000) == 1 ? 0 : ETIMEDOUT;
		if (error == 0)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	}
	if (error)
		HELD("%s:%d: %s", address, port, strerrorname_np(error));
	else
		BROKE("%s:%d can be talked to", address, port);
}

int main(int argc, char **argv)
{
	(void)argc;
	must_not_connect(argv[1], atoi(argv[2]), SOCK_STREAM);
	must_not_connect(argv[1], atoi(argv[2]), SOCK_DGRAM);
	must_not_connect("127.0.0.1", atoi(argv[2]), SOCK_STREAM);
	struct ifaddrs *list;
	if (getifaddrs(&list) == 0)
		for (struct ifaddrs *at = list; at; at = at->ifa_next)
			if (strcmp(at->ifa_name, "lo") != 0)
				BROKE("interface %s", at->ifa_name);
	char line[256];
	FILE *unix_ = fopen("/proc/net/unix", "r");
	int sockets = 0;
	while (unix_ && fgets(line, sizeof(line), unix_))
		sockets += strchr(line, '@') != NULL ||
			   (strchr(line, '/') != NULL && strstr(line, "/.hpool/tracer") == NULL); /* its own PID 1's */
	if (sockets)
		BROKE("%d of the machine's sockets are seen", sockets);
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(own);
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server, (struct sockaddr *)&own, sizeof(own)) != 0 || listen(server, 1) != 0 ||
	    getsockname(server, (struct sockaddr *)&own, &length) != 0 ||
	    connect(client, (struct sockaddr *)&own, sizeof(own)) != 0)
		printf("NEEDED the job's own loopback does not work: %s\n", strerrorname_np(errno));
	else
		printf("the job's own loopback works\n");
	return 0;
}
