/* What an ordinary user is refused: chroot, mounts, devices, clocks, other people's processes. */
#include <sys/mount.h>
#include <sys/swap.h>
#include <sys/time.h>
#include "say.h"

int main(void)
{
	struct timeval now = { 0, 0 };
	TRY(chroot("dir"));
	TRY(chroot("absent"));
	TRY(mount("none", "dir", "tmpfs", 0, NULL));
	TRY(umount("dir"));
	TRY(swapon("big.bin", 0));
	TRY(settimeofday(&now, NULL));
	TRY(sethostname("x", 1));
	TRY(acct("small.txt"));
	TRY(syscall(SYS_pivot_root, "dir", "dir/sub"));
	TRY(setuid(0));
	TRY(setgid(0));
	TRY(kill(1, 9) == 0 ? 0 : -1);
	TRY(nice(-5) == -1 ? -1 : 0);
	TRY(mlockall(0));
	TRY(syscall(SYS_vhangup));
	TRY(syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
	return 0;
}
