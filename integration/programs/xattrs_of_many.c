/* Extended attributes of the files of a directory, asked for one after the other, while some get and lose them. */
#include "say.h"

#include <stdbool.h>
#include <sys/xattr.h>

#define FILES 70

static void name_of(char *name, int number)
{
	sprintf(name, "many/f%02d", number);
}

static void ask_all(const char *when, bool backwards)
{
	char name[32], value[128], list[256];

	printf("%s:", when);
	for (int i = 0; i < FILES; i++) {
		long got, listed;

		name_of(name, backwards ? FILES - 1 - i : i);
		got = getxattr(name, "user.colour", value, sizeof(value));
		listed = llistxattr(name, list, sizeof(list));
		printf(" %ld,%ld", got, listed);
		got = lgetxattr(name, "security.selinux", value, sizeof(value));
		printf(",%s", got < 0 ? strerrorname_np(errno) : "is");
		got = getxattr(name, "system.posix_acl_access", NULL, 0);
		printf(",%s", got < 0 ? strerrorname_np(errno) : "is");
		got = getxattr(name, "nonsense", NULL, 0);
		printf(",%s", got < 0 ? strerrorname_np(errno) : "is");
	}
	printf("\n");
}

static void change(int first, int step, const char *value)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, permissions;
			uint32_t id;
		} entry[5];
	} acl = { 2, { { 1, 6, -1 }, { 2, 4, 12345 }, { 4, 4, -1 }, { 16, 4, -1 }, { 32, 0, -1 } } };
	char name[32];

	for (int i = first; i < FILES; i += step) {
		name_of(name, i);
		if (value) {
			MUST(setxattr(name, "user.colour", value, strlen(value), 0));
			MUST(setxattr(name, "system.posix_acl_access", &acl, sizeof(acl), 0));
		} else {
			MUST(removexattr(name, "user.colour"));
			MUST(removexattr(name, "system.posix_acl_access"));
		}
	}
}

int main(void)
{
	char name[32], list[64];

	MUST(mkdir("many", 0755));
	for (int i = 0; i < FILES; i++) {
		name_of(name, i);
		close(MUST(open(name, O_CREAT | O_EXCL | O_WRONLY, 0644)));
	}
	MUST(symlink("f01", "many/link"));
	MUST(mkdir("many/below", 0755));
	ask_all("none", false);
	ask_all("again", true);
	change(3, 7, "green");
	ask_all("some", true);
	ask_all("and again", false);
	pid_t pid = MUST(fork());
	if (pid == 0) {
		change(3, 14, NULL);
		change(5, 9, "blue");
		exit(0);
	}
	MUST(waitpid(pid, NULL, 0));
	ask_all("by a child", false);
	MUST(rename("many/f05", "many/f06"));
	MUST(rename("many/f10", "many/f05"));
	MUST(rename("many/f06", "many/f10"));
	MUST(link("many/f14", "many/f06"));
	ask_all("renamed", false);
	TRY(lgetxattr("many/link", "user.colour", NULL, 0));
	TRY(lgetxattr("many/link", "security.selinux", NULL, 0));
	TRY(lgetxattr("many/link", "system.posix_acl_access", NULL, 0));
	TRY(llistxattr("many/link", list, sizeof(list)));
	TRY(getxattr("many/below", "system.posix_acl_default", NULL, 0));
	TRY(listxattr("many/none", list, sizeof(list)));
	return 0;
}
