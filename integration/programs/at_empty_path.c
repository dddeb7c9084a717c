/* AT_EMPTY_PATH: the descriptor itself, of files, directories, links and unlinked files. */
#include "say.h"

int main(void)
{
	struct stat st, other;
	struct statx stx;
	int file = MUST(open("small.txt", O_RDWR)), link_ = MUST(open("link", O_PATH | O_NOFOLLOW));
	TRY(fstatat(file, "", &st, AT_EMPTY_PATH));
	MUST(stat("small.txt", &other));
	YES(same_file(&st, &other));
	TRY(fstatat(file, "", &st, 0));
	TRY(fstatat(link_, "", &st, AT_EMPTY_PATH));
	YES(S_ISLNK(st.st_mode));
	TRY(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	YES(S_ISDIR(st.st_mode));
	TRY(statx(file, "", AT_EMPTY_PATH, STATX_ALL, &stx));
	YES(stx.stx_size == 17);
	TRY(syscall(SYS_newfstatat, file, NULL, &st, AT_EMPTY_PATH));
	TRY(fchownat(file, "", -1, -1, AT_EMPTY_PATH));
	TRY(unlink("small.txt"));
	TRY(fstatat(file, "", &st, AT_EMPTY_PATH));
	printf("links %ld\n", (long)st.st_nlink);
	TRY(utimensat(file, "", NULL, AT_EMPTY_PATH));
	TRY(futimens(file, NULL));
	int pipes[2];
	MUST(pipe(pipes));
	TRY(fstatat(pipes[0], "", &st, AT_EMPTY_PATH));
	YES(S_ISFIFO(st.st_mode));
	return 0;
}
