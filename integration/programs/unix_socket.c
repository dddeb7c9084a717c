/* Unix sockets with a name in the working directory, between processes; abstract ones; passing descriptors. */
#include <sys/socket.h>
#include <sys/un.h>
#include "say.h"

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 'f';
	struct iovec piece = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	MUST(sendmsg(socket, &message, 0));
}

static void show_names(int socket)
{
	struct sockaddr_un name = { 0 };
	socklen_t length = sizeof(name);
	TRY(getsockname(socket, (struct sockaddr *)&name, &length));
	printf("named %u %d %s\n", length, name.sun_family, name.sun_path);
	length = 6;
	memset(&name, 0, sizeof(name));
	TRY(getpeername(socket, (struct sockaddr *)&name, &length));
	printf("peer %u %d %s\n", length, name.sun_family, name.sun_path);
	TRY(getsockname(socket, NULL, &length));
}

/* As servers do: the name is made for the owner alone, then opened to those who may connect. */
static void show_rights(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "guarded" };
	const mode_t modes[] = { 0777, 0500, 0600, 0, 0222 };
	mode_t mask = umask(077);
	int server = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	TRY(bind(server, (struct sockaddr *)&name, sizeof(name)));
	umask(mask);
	TRY(listen(server, 8));
	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		TRY(chmod("guarded", modes[i]));
		TRY(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&name, sizeof(name)));
	}
	TRY(rename("guarded", "dir/guarded"));
	strcpy(name.sun_path, "dir/guarded");
	TRY(chmod("dir/guarded", 0700));
	TRY(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&name, sizeof(name)));
	TRY(unlink("dir/guarded"));
	TRY(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&name, sizeof(name)));
}

int main(void)
{
	struct sockaddr_un here = { .sun_family = AF_UNIX, .sun_path = "socket" };
	struct sockaddr_un abstract = { .sun_family = AF_UNIX, .sun_path = "\0hpool-test" };
	char bytes[32];
	struct stat st;
	int server = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	TRY(bind(server, (struct sockaddr *)&here, sizeof(here)));
	TRY(bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&here, sizeof(here)));
	TRY(stat("socket", &st));
	YES(S_ISSOCK(st.st_mode));
	TRY(listen(server, 5));
	pid_t pid = MUST(fork());
	if (pid == 0) {
		int client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
		MUST(connect(client, (struct sockaddr *)&here, sizeof(here)));
		MUST(write(client, "hello", 5));
		send_fd(client, MUST(open("small.txt", O_RDONLY)));
		_exit(0);
	}
	int peer = TRY(accept(server, NULL, NULL));
	show_names(peer);
	show_names(server);
	VALUE(read(peer, bytes, 5));
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec piece = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	VALUE(recvmsg(peer, &message, 0));
	int passed = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message));
	VALUE(read(passed, bytes, 5));
	printf("%.5s\n", bytes);
	show_wait("client", pid);
	int again = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(connect(again, (struct sockaddr *)&here, sizeof(here)));
	show_names(again);
	TRY(open("socket", O_RDONLY));
	TRY(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)),
		    (struct sockaddr *)&(struct sockaddr_un){ .sun_family = AF_UNIX, .sun_path = "absent" },
		    sizeof(here)));
	int two = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	TRY(bind(two, (struct sockaddr *)&abstract, sizeof(sa_family_t) + 12));
	TRY(listen(two, 1));
	TRY(connect(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&abstract, sizeof(sa_family_t) + 12));
	TRY(rename("socket", "dir/socket"));
	TRY(unlink("dir/socket"));
	show_rights();
	return 0;
}
