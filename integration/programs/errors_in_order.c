/* Which error is said where two could be: link and mknod in directories without rights, connect to what is no socket. */
#include <sys/socket.h>
#include <sys/un.h>
#include "say.h"

static void connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));

	strcpy(address.sun_path, name);
	printf("%s: ", name);
	TRY(connect(fd, (struct sockaddr *)&address, sizeof address));
	close(fd);
}

int main(void)
{
	static const char *const names[] = { "dir",         "dir/", "small.txt",  "readonly.txt",
					     "secret.txt",  "shut", "open/below", "dangling",
					     "/etc/passwd", "/etc", "/tmp",       "." };

	MUST(mkdir("shut", 0755));
	put("shut/there", "x");
	MUST(chmod("shut", 0555));
	MUST(mkdir("open", 0755));
	TRY(link("dir", "shut/new"));
	TRY(link("dir", "open/new"));
	TRY(link("dir", "open/new/"));
	TRY(link("dir", "shut/there"));
	TRY(link("dir", "dir/a"));
	TRY(link("dir", "dir/sub/deep/leaf.txt"));
	TRY(link("dir", "absent/new"));
	TRY(link("small.txt", "shut/new"));
	YES(link("/", "new") < 0 && (errno == EPERM || errno == EXDEV));
	TRY(mknod("shut/new", S_IFCHR | 0644, 0x103));
	TRY(mknod("shut/new", S_IFBLK | 0644, 0x103));
	TRY(mknod("shut/new", S_IFIFO | 0644, 0));
	TRY(mknod("shut/there", S_IFCHR | 0644, 0x103));
	TRY(mknod("open/new", S_IFCHR | 0644, 0x103));
	TRY(mknod("open/new/", S_IFCHR | 0644, 0x103));
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		connect_to(names[i]);
	MUST(chmod("shut", 0755));
	return 0;
}
