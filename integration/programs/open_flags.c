/* Access modes are kept apart: what was opened for reading cannot be written, and the other way round. */
#include "say.h"

int main(void)
{
	char byte[4] = "";
	int r = TRY(open("small.txt", O_RDONLY));
	VALUE(read(r, byte, 4));
	VALUE(write(r, "x", 1));
	VALUE(fcntl(r, F_GETFL) & O_ACCMODE);
	int w = TRY(open("small.txt", O_WRONLY));
	VALUE(read(w, byte, 1));
	VALUE(write(w, "AL", 2));
	VALUE(fcntl(w, F_GETFL) & O_ACCMODE);
	int rw = TRY(open("small.txt", O_RDWR));
	VALUE(read(rw, byte, 3));
	printf("%.3s\n", byte);
	VALUE(write(rw, "!", 1));
	VALUE(lseek(rw, 0, SEEK_CUR));
	TRY(open("absent", O_RDONLY));
	TRY(open("absent", O_WRONLY));
	TRY(open("absent", O_RDWR | O_TRUNC));
	TRY(open("", O_RDONLY));
	TRY(open("small.txt/", O_RDONLY));
	TRY(open("small.txt/x", O_RDONLY));
	TRY(open("absent/x", O_RDONLY | O_CREAT, 0644));
	TRY(open("made/", O_WRONLY | O_CREAT, 0644));
	int sync = TRY(open("synced", O_WRONLY | O_CREAT | O_DSYNC, 0644));
	VALUE(write(sync, "now\n", 4));
	int nb = TRY(open("small.txt", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
	YES(fcntl(nb, F_GETFL) & O_NONBLOCK);
	YES(fcntl(nb, F_GETFD) & FD_CLOEXEC);
	int na = TRY(open("small.txt", O_RDONLY | O_NOATIME));
	YES(na >= 0 && fcntl(na, F_GETFL) & O_NOATIME);
	show("small.txt");
	return 0;
}
