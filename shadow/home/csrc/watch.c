/* Watching what was handed out (inotify(7)): a change at home by somebody else is
 * told to the starter, which asks again for the names it knows.
 *
 * Owns: which directories are watched, and turning events into HPW_CHANGED
 * records. A watch that the kernel refuses (limits, permissions, file systems
 * that tell nothing) is missing quietly: such names are fresh once per job.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>

#define MOST_WATCHES 8192u
#define SEEN_ROOM (4u * MOST_WATCHES) /* a power of two */
#define REFUSED (-1)
#define OVER (-2) /* the directory is gone: its inode may come back as another's */
#define EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB)
#define MOST_NAMES 4096u /* in one record */
#define CHANGES_ROOM (256u << 10)

#define TOLD_ROOM 65536u /* a power of two; a collision costs a needless question */

struct hp_told {
	uint64_t path; /* hash, 0 nothing */
	uint64_t ino;  /* 0 absent */
	int64_t ctime_s;
	uint32_t ctime_ns;
};

struct hp_watch_directory {
	char *path; /* the root's is "" */
	uint32_t length;
	struct hp_watch_seen *seen;
};

struct hp_watch_seen {
	uint64_t key;
	int descriptor; /* REFUSED, OVER */
};

void hp_watch_init(struct hp_watch *watch)
{
	pthread_mutex_init(&watch->lock, NULL);
	pthread_mutex_init(&watch->told_lock, NULL);
	watch->fd = watch->poll = -1;
}

void hp_watch_free(struct hp_watch *watch)
{
	for (unsigned i = 0; i < watch->room; i++)
		free(watch->directories[i].path);
	free(watch->directories);
	free(watch->seen);
	free(watch->told);
	if (watch->poll >= 0)
		close(watch->poll);
	if (watch->fd >= 0)
		close(watch->fd);
	pthread_mutex_destroy(&watch->lock);
	pthread_mutex_destroy(&watch->told_lock);
}

int hp_home_watch(hp_home *home)
{
	struct hp_watch *watch = &home->watch;

	if (watch->poll >= 0)
		return watch->poll;
	watch->seen = calloc(SEEN_ROOM, sizeof(*watch->seen));
	watch->told = calloc(TOLD_ROOM, sizeof(*watch->told));
	if (watch->seen == NULL || watch->told == NULL)
		return -ENOMEM;
	if (watch->fd < 0)
		watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	watch->poll = hp_leases_poll(home);
	return watch->poll;
}

/* Where the directory stands, or would stand: key 0. */
static struct hp_watch_seen *seen_of(struct hp_watch *watch, const struct hpw_attr *attr)
{
	uint64_t key = (attr->dev * 0x9e3779b97f4a7c15u) ^ attr->ino ^ 1;
	uint32_t at = (uint32_t)((key * 0xc2b2ae3d27d4eb4fu) >> 40) % SEEN_ROOM;

	while (watch->seen[at].key != 0 && watch->seen[at].key != key)
		at = (at + 1) % SEEN_ROOM;
	return &watch->seen[at];
}

static void see(struct hp_watch_seen *seen, const struct hpw_attr *attr)
{
	seen->key = (attr->dev * 0x9e3779b97f4a7c15u) ^ attr->ino ^ 1;
	seen->descriptor = REFUSED;
}

static void remember(struct hp_watch *watch, struct hp_watch_seen *seen, struct hp_text path)
{
	unsigned index = (unsigned)seen->descriptor;

	if (index >= watch->room) {
		unsigned room = index * 2 + 64;
		struct hp_watch_directory *more = realloc(watch->directories, room * sizeof(*more));

		if (more == NULL)
			return;
		memset(more + watch->room, 0, (room - watch->room) * sizeof(*more));
		watch->directories = more;
		watch->room = room;
	}
	free(watch->directories[index].path);
	watch->directories[index].path = strndup(path.bytes, path.length);
	watch->directories[index].length = (uint32_t)path.length;
	watch->directories[index].seen = seen;
}

static void forget(struct hp_watch *watch, int descriptor)
{
	struct hp_watch_directory *directory = &watch->directories[descriptor];

	if (directory->seen != NULL && directory->seen->descriptor == descriptor)
		directory->seen->descriptor = OVER;
	free(directory->path);
	*directory = (struct hp_watch_directory){ 0 };
}

static void add(hp_home *home, int fd, struct hp_text path, const struct hpw_attr *attr, bool again)
{
	struct hp_watch *watch = &home->watch;
	struct hp_watch_seen *seen;
	char name[40];

	if (watch->fd < 0 || fd < 0)
		return;
	pthread_mutex_lock(&watch->lock);
	seen = seen_of(watch, attr);
	if (seen->key == 0 ? watch->count < MOST_WATCHES : again || seen->descriptor == OVER) {
		watch->count += seen->key == 0;
		see(seen, attr);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		seen->descriptor = inotify_add_watch(watch->fd, name, EVENTS | IN_ONLYDIR | IN_EXCL_UNLINK);
		if (seen->descriptor >= 0)
			remember(watch, seen, path);
	}
	pthread_mutex_unlock(&watch->lock);
}

void hp_watch_add(hp_home *home, int fd, struct hp_text path, const struct hpw_attr *attr)
{
	add(home, fd, path, attr, false);
}

void hp_watch_new(hp_home *home, int fd, struct hp_text path, const struct hpw_attr *attr)
{
	add(home, fd, path, attr, true);
}

bool hp_watch_has(hp_home *home, const struct hpw_attr *attr)
{
	struct hp_watch *watch = &home->watch;
	bool has;

	if (watch->fd < 0)
		return false;
	pthread_mutex_lock(&watch->lock);
	has = seen_of(watch, attr)->key != 0 && seen_of(watch, attr)->descriptor >= 0;
	pthread_mutex_unlock(&watch->lock);
	return has;
}

void hp_watch_renamed(hp_home *home, struct hp_text from, struct hp_text to)
{
	struct hp_watch *watch = &home->watch;

	pthread_mutex_lock(&watch->lock);
	for (unsigned i = 0; i < watch->room; i++) {
		struct hp_watch_directory *directory = &watch->directories[i];
		size_t rest;
		char *path;

		if (directory->path == NULL || directory->length < from.length ||
		    memcmp(directory->path, from.bytes, from.length) != 0 ||
		    (directory->length > from.length && directory->path[from.length] != '/'))
			continue;
		rest = directory->length - from.length;
		path = malloc(to.length + rest + 1);
		if (path == NULL)
			continue;
		memcpy(path, to.bytes, to.length);
		memcpy(path + to.length, directory->path + from.length, rest + 1);
		free(directory->path);
		directory->path = path;
		directory->length = (uint32_t)(to.length + rest);
	}
	pthread_mutex_unlock(&watch->lock);
}

static uint64_t hash_on(uint64_t hash, struct hp_text text)
{
	for (size_t i = 0; i < text.length; i++)
		hash = (hash ^ (uint8_t)text.bytes[i]) * 0x100000001b3u;
	return hash;
}

void hp_watch_told(hp_home *home, struct hp_text directory, struct hp_text name, const struct hpw_attr *attr)
{
	struct hp_watch *watch = &home->watch;
	uint64_t hash;

	if (watch->fd < 0)
		return;
	hash = hash_on(0xcbf29ce484222325u, directory);
	if (name.length != 0)
		hash = hash_on(hash_on(hash, (struct hp_text){ "/", 1 }), name);
	pthread_mutex_lock(&watch->told_lock);
	watch->told[hash % TOLD_ROOM] = (struct hp_told){
		.path = hash,
		.ino = attr == NULL ? 0 : attr->ino,
		.ctime_s = attr == NULL ? 0 : attr->ctime_s,
		.ctime_ns = attr == NULL ? 0 : attr->ctime_ns,
	};
	pthread_mutex_unlock(&watch->told_lock);
}

/* What the job did itself, or knows already, is no news to it. */
static bool is_known(hp_home *home, const char *path, size_t length)
{
	uint64_t hash = hash_on(0xcbf29ce484222325u, (struct hp_text){ path, length });
	struct hp_told told;
	struct stat st;
	bool own;

	pthread_mutex_lock(&home->watch.told_lock);
	told = home->watch.told[hash % TOLD_ROOM];
	pthread_mutex_unlock(&home->watch.told_lock);
	if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return told.path == hash && told.ino == 0;
	if (told.path == hash && told.ino == st.st_ino && told.ctime_s == st.st_ctim.tv_sec &&
	    told.ctime_ns == (uint32_t)st.st_ctim.tv_nsec)
		return true;
	if (!S_ISREG(st.st_mode))
		return false;
	pthread_mutex_lock(&home->lock);
	own = hp_handles_wrote(home, &st);
	pthread_mutex_unlock(&home->lock);
	return own;
}

struct change_record {
	uint8_t *bytes;
	size_t used, room;
	uint32_t count;
	const char *last; /* the same name again and again is one change */
	size_t last_length;
	const struct hp_text *own[2]; /* names that the answer in front of which it goes speaks of */
};

static bool add_change(struct change_record *record, const char *path, size_t length)
{
	size_t size = HPW_ALIGN(sizeof(struct hpw_entry) + length);
	struct hpw_entry entry = { .size = (uint32_t)size, .path_len = (uint32_t)length };

	if (record->used + size > record->room)
		return false;
	memcpy(record->bytes + record->used, &entry, sizeof(entry));
	memset(record->bytes + record->used + sizeof(entry), 0, size - sizeof(entry));
	memcpy(record->bytes + record->used + sizeof(entry), path, length);
	record->last = (const char *)record->bytes + record->used + sizeof(entry);
	record->last_length = length;
	record->used += size;
	record->count++;
	return true;
}

/* A file made with O_TMPFILE is told of under a name that nobody has given it: '#' and its inode. */
static bool is_nameless(const struct inotify_event *event)
{
	return !(event->mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) && event->name[0] == '#' &&
	       event->name[1] != 0 && event->name[1 + strspn(event->name + 1, "0123456789")] == 0;
}

static void one_event(hp_home *home, const struct inotify_event *event, struct change_record *record)
{
	struct hp_watch *watch = &home->watch;
	char path[HPW_MAX_PATH + HP_NAME_MAX + 2];
	int length;

	if (event->wd < 0 || (unsigned)event->wd >= watch->room)
		return;
	if (event->mask & IN_IGNORED)
		forget(watch, event->wd);
	if (event->len == 0 || watch->directories[event->wd].path == NULL)
		return;
	length = snprintf(path, sizeof(path), "%s/%s", watch->directories[event->wd].path, event->name);
	if (length <= 0 || (size_t)length >= sizeof(path))
		return;
	if (record->last != NULL && record->last_length == (size_t)length &&
	    memcmp(record->last, path, (size_t)length) == 0)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (record->own[i] != NULL && record->own[i]->length == (size_t)length &&
		    memcmp(record->own[i]->bytes, path, (size_t)length) == 0)
			return;
	if (is_nameless(event) && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (!is_known(home, path, (size_t)length))
		add_change(record, path, (size_t)length);
}

static long read_changes(hp_home *home, uint8_t *buffer, size_t room, const struct hp_text *own,
			 const struct hp_text *own2)
{
	_Alignas(struct inotify_event) char events[32768];
	struct change_record record = {
		.bytes = buffer, .used = sizeof(struct hpw_reply), .room = room, .own = { own, own2 }
	};
	struct hpw_reply reply = { .op = HPW_CHANGED };

	if (home->watch.fd < 0 || room < sizeof(reply))
		return 0;
	pthread_mutex_lock(&home->watch.lock);
	while (record.count < MOST_NAMES) {
		ssize_t got = read(home->watch.fd, events, sizeof(events));

		if (got <= 0)
			break;
		for (ssize_t at = 0; at < got;) {
			const struct inotify_event *event = (const struct inotify_event *)(events + at);

			one_event(home, event, &record);
			at += (ssize_t)sizeof(*event) + event->len;
		}
	}
	pthread_mutex_unlock(&home->watch.lock);
	if (record.count == 0)
		return 0;
	reply.size = (uint32_t)record.used;
	reply.count = record.count;
	memcpy(buffer, &reply, sizeof(reply));
	return (long)record.used;
}

long hp_home_changes(hp_home *home, uint8_t *buffer, size_t room)
{
	long length = read_changes(home, buffer, room, NULL, NULL);

	return length + hp_leases_tell(home, buffer + length, room - (size_t)length);
}

void hp_tell_changes_first(hp_lane *lane, const struct hp_text *own, const struct hp_text *own2)
{
	uint8_t *room;
	long length;

	do {
		room = hp_reply_raw(lane, CHANGES_ROOM);
		length = room == NULL ? 0 : read_changes(lane->home, room, CHANGES_ROOM, own, own2);
		if (length > 0)
			lane->reply.used += (size_t)length;
	} while (length > 0);
}
