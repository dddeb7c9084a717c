/* Setting users and groups without privilege: one's own may be set, another's is EPERM, one that there cannot be EINVAL. */
#include "say.h"

int main(void)
{
	uid_t user = getuid();
	gid_t group = getgid();

	TRY(setuid(user));
	TRY(setuid(user + 1));
	TRY(setuid(65534));
	TRY(setuid(-1));
	TRY(setgid(group));
	TRY(setgid(group + 1));
	TRY(setgid(-1));
	TRY(setreuid(-1, -1));
	TRY(setreuid(user, user + 1));
	TRY(setregid(-1, group));
	TRY(setregid(group + 1, -1));
	TRY(setresuid(user, -1, user));
	TRY(setresuid(-1, user + 1, -1));
	TRY(setresgid(-1, -1, -1));
	TRY(setresgid(group, group, group + 1));
	YES(getuid() == user && geteuid() == user && getgid() == group && getegid() == group);
	return 0;
}
