/* Unix sockets whose names are relative to where the program was, or have been moved since. */
#include "names.h"
#include <sys/stat.h>

static int open_for_all(int type, const char *path)
{
	int fd = bound(type, path);
	CHECK(type == SOCK_DGRAM || listen(fd, 5) == 0);
	return fd;
}

static int connected(int type, const char *path)
{
	struct sockaddr_un address = at(path);
	int fd = socket(AF_UNIX, type, 0);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
	return fd;
}

static void expect_name(int fd, int (*name_of)(int, struct sockaddr *, socklen_t *), const char *path)
{
	struct sockaddr_un found = { 0 };
	socklen_t length = sizeof found;
	CHECK(name_of(fd, (struct sockaddr *)&found, &length) == 0 && !strcmp(found.sun_path, path));
}

static void expect_door(int door, const char *path, const char *name)
{
	char byte = 0;
	int caller = connected(SOCK_STREAM, path), inside = accept(door, NULL, NULL);
	expect_name(door, getsockname, name);
	expect_name(caller, getpeername, name);
	CHECK(send(caller, "k", 1, 0) == 1 && recv(inside, &byte, 1, 0) == 1 && byte == 'k');
	close(caller);
	close(inside);
}

int main(void)
{
	char letter[10] = "";
	struct stat found;
	CHECK(mkdir("/tmp/far", 0700) == 0 && mkdir("/tmp/far/away", 0700) == 0 && chdir("/tmp/far") == 0);
	int near = open_for_all(SOCK_STREAM, "near"), deep = open_for_all(SOCK_STREAM, "away/deep"),
	    box = open_for_all(SOCK_DGRAM, "box");
	int moved = open_for_all(SOCK_STREAM, "/tmp/new"), caller, inside, writer;
	CHECK(rename("/tmp/new", "/tmp/moved") == 0);
	int successor = open_for_all(SOCK_STREAM, "/tmp/new");
	int old = open_for_all(SOCK_STREAM, "/tmp/again");
	CHECK(unlink("/tmp/again") == 0);
	int again = open_for_all(SOCK_STREAM, "/tmp/again");
	caller = connected(SOCK_STREAM, "away/deep");
	inside = accept(deep, NULL, NULL);
	writer = connected(SOCK_DGRAM, "box");
	CHECK(send(writer, "letter", 6, 0) == 6 && chmod("near", 0600) == 0 && chdir("/") == 0);
	linger();
	expect_door(near, "/tmp/far/near", "near");
	expect_door(deep, "/tmp/far/away/deep", "away/deep");
	expect_door(moved, "/tmp/moved", "/tmp/new");
	expect_door(successor, "/tmp/new", "/tmp/new");
	expect_door(again, "/tmp/again", "/tmp/again");
	expect_name(old, getsockname, "/tmp/again");
	expect_name(inside, getsockname, "away/deep");
	expect_name(writer, getpeername, "box");
	CHECK(send(caller, "x", 1, 0) == 1 && recv(inside, letter, 1, 0) == 1);
	CHECK(recv(box, letter, sizeof letter, 0) == 6 && !memcmp(letter, "letter", 6));
	CHECK(send(writer, "x", 1, 0) == 1 && recv(box, letter, 1, 0) == 1);
	CHECK(stat("/tmp/far/near", &found) == 0 && (found.st_mode & 07777) == 0600 && access("near", F_OK) < 0);
	return done();
}
