/* Random and mutated batches against the core, in a directory of their own.
 *
 * fuzz_home DIRECTORY SEED SECONDS: exits 0 and prints batches, malformed ones and
 * replies, or a sanitizer stops it. The process is confined to the directory. Every
 * reply is walked and held against home_wire.h.
 */
#define _GNU_SOURCE
#include "home.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH_ROOM (1u << 16)

static uint64_t state;
static const char *root;

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below == 0 ? state : (state >> 11) % below;
}

static const char *const PARTS[] = { "/a", "/b",    "/c",  "/d",          "/secret",   "/kept", "/..",
				     "/.", "/",     "//",  "/loop",       "/up",       "/fifo", "/e",
				     "/f", "/long", "/a/", "/secret/key", "/\xff\xfe", "/*" };

static size_t draw_path(char *path)
{
	size_t length;

	if (draw(12) == 0)
		return (size_t)sprintf(path, "%s",
				       draw(2) ? "/" :
				       draw(2) ? "/proc/self/environ" :
						 "/etc/../usr/bin/env");
	length = (size_t)sprintf(path, "%s", root);
	for (uint64_t parts = draw(5); parts > 0; parts--)
		length += (size_t)sprintf(path + length, "%s", PARTS[draw(sizeof(PARTS) / sizeof(PARTS[0]))]);
	if (draw(200) == 0) {
		memset(path + length, 'x', 300);
		length += 300;
	}
	return length;
}

static const uint16_t OPS[] = {
	HPW_RESOLVE,     HPW_RESOLVE,  HPW_LIST,    HPW_STATFS,     HPW_BUNDLE,   HPW_OPEN,     HPW_OPEN,
	HPW_OPEN,        HPW_CLOSE,    HPW_READ,    HPW_WRITE,      HPW_TRUNCATE, HPW_ALLOCATE, HPW_FSYNC,
	HPW_TMPFILE,     HPW_LINKFILE, HPW_GETATTR, HPW_SETATTR,    HPW_GETXATTR, HPW_SETXATTR, HPW_LISTXATTR,
	HPW_REMOVEXATTR, HPW_MKDIR,    HPW_MKDIR,   HPW_RMDIR,      HPW_UNLINK,   HPW_RENAME,   HPW_LINK,
	HPW_SYMLINK,     HPW_MKNOD,    HPW_FLOCK,   HPW_FCNTL_LOCK, HPW_LEASE,
};

static const uint32_t OPEN_FLAGS[] = { O_RDONLY,
				       O_RDWR,
				       O_WRONLY,
				       O_RDWR | O_CREAT,
				       O_RDWR | O_CREAT | O_EXCL,
				       O_RDWR | O_TRUNC,
				       O_RDONLY | O_DIRECTORY };

static size_t second_text(uint16_t op, char *text)
{
	switch (op) {
	case HPW_RENAME:
	case HPW_LINK:
		return draw_path(text);
	case HPW_SYMLINK:
		return draw(2) ? draw_path(text) : (size_t)sprintf(text, "..");
	case HPW_GETXATTR:
	case HPW_REMOVEXATTR:
		return (size_t)sprintf(text, "user.x");
	case HPW_SETXATTR:
		memcpy(text, "user.x\0value", 12);
		return 12;
	case HPW_SETATTR:
		for (size_t i = 0; i < sizeof(struct hpw_attr); i++)
			text[i] = (char)draw(256);
		return sizeof(struct hpw_attr);
	default:
		return 0;
	}
}

static size_t draw_request(uint8_t *at)
{
	static uint64_t next_id;
	char first[8192], second[8192];
	struct hpw_request head = { .op = OPS[draw(sizeof(OPS) / sizeof(OPS[0]))] };
	size_t size;

	head.id = draw(8) == 0 ? draw(next_id + 1) : ++next_id;
	head.flags = (uint16_t)(draw(4) == 0 ? draw(16) : 0);
	head.handle = draw(24);
	head.offset = draw(10) == 0 ? draw(0) : draw(10000);
	head.length = draw(10) == 0 ? draw(0) : draw(10000);
	head.mode = (uint32_t)(draw(10) == 0 ? draw(0) : draw(010000));
	head.arg = (uint32_t)(draw(10) == 0 ? draw(0) : draw(8));
	switch (head.op) {
	case HPW_OPEN:
		head.arg = OPEN_FLAGS[draw(sizeof(OPEN_FLAGS) / sizeof(OPEN_FLAGS[0]))];
		break;
	case HPW_MKNOD:
		head.mode = (uint32_t)(draw(2) ? S_IFIFO | 0600 : draw(0));
		break;
	case HPW_FCNTL_LOCK:
		head.arg = (uint32_t)(36 + draw(3));
		head.mode = (uint32_t)draw(4);
		break;
	default:
		break;
	}
	if (head.op == HPW_CLOSE || head.op == HPW_READ || head.op == HPW_TRUNCATE || head.op == HPW_ALLOCATE ||
	    head.op == HPW_FSYNC || head.op == HPW_FLOCK || head.op == HPW_LEASE)
		head.len1 = 0;
	else if (head.op == HPW_FCNTL_LOCK)
		head.len1 = draw(2) ? 8 : 0;
	else
		head.len1 = (uint32_t)draw_path(first);
	if (head.op == HPW_GETATTR || head.op == HPW_SETATTR)
		head.handle = draw(2) ? 0 : head.handle;
	head.len2 = (uint32_t)second_text(head.op, second);
	/* An allocation of gigabytes would fill the disk; the size of a file alone does not. */
	if (head.op == HPW_ALLOCATE)
		head.length %= 100000, head.offset %= 100000;
	size = HPW_ALIGN(sizeof(head) + head.len1 + head.len2);
	head.size = (uint32_t)size;
	memset(at, 0, size);
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), first, head.len1);
	memcpy(at + sizeof(head) + head.len1, second, head.len2);
	return size;
}

static void mutate(uint8_t *batch, size_t *length)
{
	for (uint64_t times = 1 + draw(4); times > 0; times--)
		batch[draw(*length)] = (uint8_t)draw(256);
	if (draw(3) == 0)
		*length -= draw(*length);
}

static void must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "a reply is wrong: %s\n", what);
		abort();
	}
}

static bool has_data(uint16_t op)
{
	return op == HPW_READ || op == HPW_WRITE || op == HPW_STATFS || op == HPW_GETXATTR || op == HPW_LISTXATTR ||
	       op == HPW_FCNTL_LOCK;
}

static unsigned check(const uint8_t *reply, size_t length)
{
	unsigned records = 0;

	for (size_t at = 0; at < length; records++) {
		struct hpw_reply head;
		size_t inside = sizeof(head);

		must(length - at >= sizeof(head), "cut off");
		memcpy(&head, reply + at, sizeof(head));
		must(head.size >= sizeof(head) && head.size % 8 == 0 && head.size <= length - at, "size");
		must(head.size <= (1u << 20) + 64, "long");
		must(head.error >= 0 && head.error < 4096, "error");
		for (uint32_t i = 0; i < head.count && !has_data(head.op); i++) {
			struct hpw_entry entry;

			must(head.size - inside >= sizeof(entry), "entry cut off");
			memcpy(&entry, reply + at + inside, sizeof(entry));
			must(entry.size % 8 == 0 && entry.size <= head.size - inside, "entry size");
			must((uint64_t)entry.path_len + entry.target_len + entry.content_len + entry.digest_len +
					     sizeof(entry) <=
				     entry.size,
			     "entry texts");
			must(entry.path_len != 0, "entry without a path");
			inside += entry.size;
		}
		must(has_data(head.op) ? inside + head.count <= head.size : inside == head.size, "length of entries");
		at += head.size;
	}
	return records;
}

static hp_home *start(void)
{
	static char kept[4096], secret[4096];
	const struct hp_home_rule rules[] = { { root, HP_SHARE_RW }, { kept, HP_SHARE_RO }, { secret, HP_SHARE_HIDE } };
	const struct hp_home_policy policy = { rules, 3, HP_SHARE_RO };
	char error[256];
	hp_home *home;

	snprintf(kept, sizeof(kept), "%s/kept", root);
	snprintf(secret, sizeof(secret), "%s/secret", root);
	home = hp_home_create(&policy, error, sizeof(error));
	if (home == NULL) {
		fprintf(stderr, "%s\n", error);
		exit(2);
	}
	return home;
}

static void plant(void)
{
	must(chdir(root) == 0, "directory");
	(void)mkdir("secret", 0755);
	(void)mkdir("kept", 0755);
	(void)mkdir("a", 0755);
	close(open("secret/key", O_CREAT | O_WRONLY, 0600));
	close(open("kept/f", O_CREAT | O_WRONLY, 0600));
	(void)!symlink("loop", "loop");
	(void)!symlink("../a/./b", "a/up");
	must(chdir("/") == 0, "root");
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static uint8_t batch[BATCH_ROOM + 65536];
	unsigned batches = 0, malformed = 0, replies = 0;
	char told[4096];
	struct stat secret_before, secret_after;
	double until;
	hp_home *home;

	must(argc == 4, "arguments");
	root = argv[1];
	state = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252ull;
	until = now() + strtod(argv[3], NULL);
	plant();
	must(hp_home_confine(&root, 1) >= 0, "confinement");
	home = start();
	must(fstatat(AT_FDCWD, root, &secret_before, 0) == 0, "root");
	while (now() < until) {
		size_t length = 0;
		uint8_t *exact, *reply;
		long got;

		for (uint64_t count = 1 + draw(20); count > 0 && length < BATCH_ROOM - 20000; count--)
			length += draw_request(batch + length);
		if (draw(3) == 0)
			mutate(batch, &length);
		exact = malloc(length + 1); /* so that one byte too far is seen */
		memcpy(exact, batch, length);
		got = hp_home_execute(home, exact, length, &reply);
		free(exact);
		must(got >= -1, "memory");
		batches++;
		if (got < 0)
			malformed++;
		else
			replies += check(reply, (size_t)got);
		hp_home_free(reply);
		if (draw(50) == 0)
			hp_home_acknowledge(home, draw(1000));
		if (draw(50) == 0)
			(void)hp_home_refusals(home, told, sizeof(told));
		if (draw(300) == 0) {
			hp_home_destroy(home);
			home = start();
		}
	}
	hp_home_destroy(home);
	must(fstatat(AT_FDCWD, root, &secret_after, 0) == 0 && secret_after.st_ino == secret_before.st_ino, "the root");
	snprintf(told, sizeof(told), "%s/secret/key", root);
	must(access(told, F_OK) == 0, "the secret was touched");
	snprintf(told, sizeof(told), "%s/kept/f", root);
	must(access(told, F_OK) == 0, "what is read-only was touched");
	printf("%u %u %u\n", batches, malformed, replies);
	return 0;
}
