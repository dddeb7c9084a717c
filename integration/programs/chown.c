/* chown as an ordinary user: to oneself yes, to others no; owners are those of home. */
#include "say.h"

int main(void)
{
	struct stat st;
	MUST(stat("small.txt", &st));
	YES(st.st_uid == getuid());
	YES(st.st_gid == getgid());
	TRY(chown("small.txt", getuid(), getgid()));
	TRY(chown("small.txt", -1, -1));
	if (getuid() != 0) {
		TRY(chown("small.txt", 0, -1));
		TRY(chown("small.txt", -1, 0));
		TRY(chown("/etc/passwd", getuid(), -1));
	}
	TRY(lchown("link", getuid(), -1));
	TRY(fchown(MUST(open("lines.txt", O_RDONLY)), getuid(), getgid()));
	TRY(chown("absent", getuid(), -1));
	TRY(chown("dangling", getuid(), -1));
	MUST(stat("/etc/passwd", &st));
	printf("/etc/passwd %u %u %o\n", st.st_uid, st.st_gid, st.st_mode);
	MUST(stat("/usr/bin", &st));
	printf("/usr/bin %u %u %o\n", st.st_uid, st.st_gid, st.st_mode);
	put("mine", "x");
	MUST(stat("mine", &st));
	YES(st.st_uid == geteuid());
	YES(getuid() == geteuid() && getgid() == getegid());
	uid_t r, e, s;
	MUST(getresuid(&r, &e, &s));
	YES(r == e && e == s);
	return 0;
}
