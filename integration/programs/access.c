/* access, faccessat and euidaccess tell what open would say, without opening. */
#include "say.h"

int main(void)
{
	TRY(access("small.txt", F_OK));
	TRY(access("small.txt", R_OK | W_OK));
	TRY(access("small.txt", X_OK));
	TRY(access("script.sh", X_OK));
	TRY(access("readonly.txt", R_OK));
	TRY(access("readonly.txt", W_OK));
	TRY(access("secret.txt", F_OK));
	TRY(access("secret.txt", R_OK));
	TRY(access("dir", R_OK | W_OK | X_OK));
	TRY(access("absent", F_OK));
	TRY(access("dangling", F_OK));
	TRY(access("small.txt/x", F_OK));
	TRY(access("big.bin", R_OK));
	TRY(access("small.txt", 77));
	TRY(access("/etc/passwd", R_OK));
	TRY(access("/etc/passwd", W_OK));
	TRY(access("/usr/bin", W_OK));
	TRY(access("/bin/sh", X_OK));
	int d = MUST(open("dir", O_RDONLY));
	TRY(faccessat(d, "a", R_OK, 0));
	TRY(faccessat(d, "../dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	TRY(faccessat(AT_FDCWD, "secret.txt", R_OK, AT_EACCESS));
	TRY(syscall(SYS_faccessat2, d, "", R_OK, AT_EMPTY_PATH));
	TRY(eaccess("readonly.txt", W_OK));
	TRY(access("", F_OK));
	return 0;
}
