/* Symlinks that nobody has looked at yet and that lead to places of the machine: /tmp, /proc.
 * Each call is the first use of its link.
 * prepare: ways_out
 */
#include "say.h"

static char room[32][64];

/* A name below /tmp of this process's own, by way of link number `link`. */
static const char *by(int link, const char *name)
{
	snprintf(room[link], sizeof room[link], "ways_out/%d/%d%s", link, getpid(), name);
	return room[link];
}

int main(void)
{
	struct stat status;
	char text[64];

	TRY(open("ways_out/mounts", O_RDONLY));
	TRY(open("ways_out/status", O_PATH));
	TRY(mkdir(by(0, "d"), 0700));
	TRY(rmdir(by(1, "d")));
	TRY(open(by(2, "f"), O_RDWR | O_CREAT | O_EXCL, 0600));
	TRY(open(by(3, "f"), O_RDONLY));
	TRY(stat(by(4, "f"), &status));
	TRY(access(by(5, "f"), R_OK));
	TRY(symlink("there", by(6, "l")));
	TRY(readlink(by(7, "l"), text, sizeof text));
	TRY(rename(by(8, "l"), by(9, "m")));
	TRY(link(by(10, "f"), by(11, "n")));
	TRY(mkfifo(by(12, "p"), 0600));
	TRY(truncate(by(13, "f"), 5));
	TRY(chmod(by(14, "f"), 0640));
	TRY(open("ways_out/15", O_TMPFILE | O_RDWR, 0600));
	TRY(open(by(16, "absent"), O_RDONLY));
	TRY(stat(by(17, "absent"), &status));
	TRY(unlink(by(18, "absent")));
	TRY(mkdir(by(19, "absent/d"), 0700));
	TRY(unlink(by(20, "n")));
	TRY(unlink(by(21, "m")));
	TRY(unlink(by(22, "p")));
	TRY(unlink(by(23, "f")));
	return 0;
}
