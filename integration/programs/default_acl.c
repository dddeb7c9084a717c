/* Where a directory has a default ACL, the umask has no say in what is made there, and the new
 * file gets an ACL of its own. */
#include "say.h"

#include <sys/xattr.h>

#define USER_OBJ 1
#define USER 2
#define GROUP_OBJ 4
#define MASK 16
#define OTHER 32

struct entry {
	uint16_t tag, permissions;
	uint32_t id;
};

static struct {
	uint32_t version;
	struct entry entry[5];
} acl = { 2, { { USER_OBJ, 7, -1 }, { USER, 6, 12345 }, { GROUP_OBJ, 5, -1 }, { MASK, 7, -1 }, { OTHER, 4, -1 } } };

static void tell(const char *name)
{
	uint8_t value[256];
	struct stat status;
	ssize_t length;

	if (lstat(name, &status)) {
		printf("%s: %s\n", name, strerror(errno));
		return;
	}
	length = getxattr(name, "system.posix_acl_access", value, sizeof value);
	printf("%s %o acl", name, status.st_mode);
	for (ssize_t i = 0; i < length; i++)
		printf(" %02x", value[i]);
	printf("\n");
}

static void make_all(const char *in)
{
	static const char *const made[] = { "d", "f", "g", "n", "p", "t", "e" };
	char name[64];
	int fd;

	MUST(chdir(in));
	MUST(mkdir("d", 0777));
	close(MUST(open("f", O_CREAT | O_WRONLY, 0666)));
	close(MUST(creat("g", 0640)));
	MUST(mknod("n", S_IFREG | 0666, 0));
	MUST(mkfifo("p", 0622));
	fd = MUST(open(".", O_TMPFILE | O_RDWR, 0666));
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	MUST(linkat(AT_FDCWD, name, AT_FDCWD, "t", AT_SYMLINK_FOLLOW));
	close(fd);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "many%d", i);
		fd = MUST(open(name, O_CREAT | O_TRUNC | O_WRONLY, 0666));
		MUST(write(fd, "x", 1));
		close(fd);
	}
	close(MUST(open("e", O_CREAT | O_EXCL | O_RDWR, 0604)));
	for (unsigned i = 0; i < sizeof made / sizeof *made; i++)
		tell(made[i]);
	tell("many0");
	tell("many39");
	MUST(chdir(".."));
}

int main(void)
{
	umask(077);
	MUST(mkdir("plain", 0755));
	MUST(mkdir("shared", 0755));
	MUST(mkdir("shared/below", 0755));
	TRY(setxattr("shared", "system.posix_acl_default", &acl, sizeof(acl), 0));
	make_all("plain");
	make_all("shared");
	umask(0);
	MUST(mkdir("shared/open", 0777));
	make_all("shared/open");
	umask(027);
	make_all("below"); /* made before: has none */
	return 0;
}
