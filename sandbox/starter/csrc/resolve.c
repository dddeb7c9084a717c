/* From a path to what it stands for, asking home for what is not known.
 *
 * The walk happens in the engine's memory. Where it meets a name it does not
 * know, the whole rest of the path travels home in one request; the answer
 * holds every step. Places of the sandbox's own (/tmp) are walked natively,
 * because a symlink there may lead back to home's names.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "internal.h"

#define MAX_LINKS 40
#define MANY_MISSES 64u /* in a directory of many names: to have them all is cheaper than to ask for each */
#define LITTLE (32u << 10) /* content that comes along with a name that is only looked at */
#define MAX_ASKED 1000 /* others may change a name each time before the one who asked for it has looked */

struct walk {
	hp_engine *engine;
	struct hp_object *at, *root;
	char *rest; /* malloc: what is still to be walked */
	size_t position;
	unsigned links, asked;
	int flags, last_error;
	bool known_only; /* never ask */
	bool slash; /* ended in a slash: the last symlink is followed, a directory is wanted */
};

static int push_target(struct walk *walk, const char *target, size_t after)
{
	size_t length = strlen(target), left = strlen(walk->rest + after);
	char *rest;

	if (++walk->links > MAX_LINKS)
		return -ELOOP;
	if (length == 0)
		return -ENOENT;
	rest = malloc(length + left + 2);
	memcpy(rest, target, length);
	rest[length] = '/';
	memcpy(rest + length + (left ? 1 : 0), walk->rest + after, left + 1);
	if (target[0] == '/')
		walk->at = walk->root;
	free(walk->rest);
	walk->rest = rest;
	walk->position = 0;
	return 0;
}

/* Natively through a local place. 1: back among home's names (at, rest say
 * where); HP_IS_LOCAL: it stays there. */
static int walk_local(struct walk *walk)
{
	int fd = hp_mirror_dirfd(walk->engine, walk->at), depth = 0, result = HP_IS_LOCAL;

	fd = fd < 0 ? -1 : dup(fd);
	while (fd >= 0) {
		char name[NAME_MAX + 1], target[PATH_MAX];
		size_t length;
		struct stat status;
		ssize_t count;
		int next;

		while (walk->rest[walk->position] == '/')
			walk->position++;
		length = strcspn(walk->rest + walk->position, "/");
		if (length == 0 || length > NAME_MAX)
			break;
		memcpy(name, walk->rest + walk->position, length);
		name[length] = 0;
		if (strcmp(name, "..") == 0 && depth == 0) {
			walk->at = walk->at->name->parent;
			walk->position += length;
			result = 1;
			break;
		}
		if (depth == 0) {
			struct hp_name *island = hp_tree_find(walk->engine, walk->at, name, length);

			if (island && island->object) {
				walk->at = island->object;
				walk->position += length;
				result = 1;
				break;
			}
		}
		if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW))
			break;
		if (S_ISLNK(status.st_mode)) {
			const char *after = walk->rest + walk->position + length;

			if (!*after && walk->flags & HP_NO_FOLLOW && !walk->slash)
				break;
			count = readlinkat(fd, name, target, sizeof target - 1);
			if (count < 0)
				break;
			target[count] = 0;
			if (push_target(walk, target, walk->position + length))
				break;
			if (target[0] == '/') {
				result = 1;
				break;
			}
			continue;
		}
		if (!S_ISDIR(status.st_mode))
			break;
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
		depth += strcmp(name, "..") == 0 ? -1 : strcmp(name, ".") != 0;
		walk->position += length;
	}
	if (fd >= 0)
		close(fd);
	return result;
}

static bool misses_often(const struct walk *walk, struct hp_object *at)
{
	return !at->listed && !walk->known_only && at->attr.access & 4 && at->attr.ino && ++at->misses >= HP_LIST_AFTER;
}

/* A name is known to be absent. After some of them the names of the directory are wanted at
 * home, behind the job's back; after many in the mirror, which spares the shim the question. */
static void missed(struct walk *walk, struct hp_object *at)
{
	if (!misses_often(walk, at))
		return;
	if (!at->known && (at->attr.size <= HP_SMALL_DIRECTORY || at->misses >= MANY_MISSES))
		hp_list_behind(walk->engine, at);
	else if (at->known && at->misses > at->offers)
		hp_list(walk->engine, at, true);
}

/* Who looks at a small file mostly reads it next: its content came along. */
static void apply_looked_at(hp_engine *engine, struct hp_pending *pending, const struct hpw_reply *reply,
			    const uint8_t *body, size_t length)
{
	engine->unasked = true;
	hp_apply_entries(engine, pending, reply, body, length);
	engine->unasked = false;
}

/* All names of `at` are on their way, in front of any answer to what would be asked now. */
static bool await_names(struct walk *walk, struct hp_object *at)
{
	if (!at->filling || (walk->flags & HP_WITH_CONTENT && !at->with_content))
		return false;
	hp_wire_await_filled(walk->engine, at);
	return at->known;
}

/* Asks home for the rest of the path, or lists a directory that missed often; a listing
 * that is there already does not help with a name that is `unknown`. */
static int ask(struct walk *walk, bool unknown)
{
	hp_engine *engine = walk->engine;
	struct hp_object *at = walk->at;
	bool opens = walk->flags & HP_WITH_CONTENT;
	struct hp_pending pending = { .apply = opens ? hp_apply_entries : apply_looked_at, .only_looks = !opens };
	size_t length;
	char *path;

	if (engine->failed || walk->known_only)
		return walk->known_only ? -ENOENT : -engine->failed;
	if (walk->last_error)
		return -walk->last_error;
	if (hp_await_recall(engine))
		return 0;
	if (++walk->asked > MAX_ASKED)
		return -EIO;
	if (!unknown && !at->known &&
	    (await_names(walk, at) || (misses_often(walk, at) && !hp_list(engine, at, false))))
		return 0;
	/* home knows nothing of another root: then step by step */
	length = walk->root->is_root ? strlen(walk->rest + walk->position) : strcspn(walk->rest + walk->position, "/");
	path = hp_name_path(at, walk->rest + walk->position, length);
	if (strlen(path) > HPW_MAX_PATH) {
		free(path);
		return -ENAMETOOLONG;
	}
	hp_remember(engine, opens ? 'C' : 'R', path, strlen(path));
	hp_wire_send(engine, HP_LANE_WAIT, &pending,
		     &(struct hp_request){ .head = { .op = HPW_RESOLVE,
						     .flags = walk->flags & HP_NO_FOLLOW || !walk->root->is_root ?
								      HPW_NOFOLLOW | HPW_CONTENT :
								      HPW_CONTENT,
						     .length = opens ? HP_INLINE_LIMIT : LITTLE,
						     .len1 = (uint32_t)strlen(path) },
					   .string1 = path });
	free(path);
	hp_ahead_small(engine, at, opens ? hp_worth_a_trip(engine) : 0);
	hp_wire_wait(engine, &pending);
	if (pending.error && pending.error != ENOENT)
		walk->last_error = pending.error;
	else if (walk->asked > 1)
		walk->last_error = pending.error;
	return 0;
}

/* The next run is spared even the question to the engine. */
static void remember_name(const struct walk *walk, const struct hp_object *parent, const char *text, size_t length)
{
	char *path = walk->known_only ? NULL : hp_name_path(parent, text, length);

	if (path)
		hp_remember(walk->engine, 'R', path, strlen(path));
	free(path);
}

/* Of many names, which the next run need not have all; if it looks for many, it should. */
static void remember_absence(const struct walk *walk, const struct hp_object *parent, const char *text, size_t length)
{
	char *path;

	if (parent->misses < MANY_MISSES) {
		remember_name(walk, parent, text, length);
	} else if (parent->misses == MANY_MISSES && (path = hp_object_path(parent)) != NULL) {
		hp_remember(walk->engine, 'L', path, strlen(path));
		free(path);
	}
}

/* A directory that was removed still leads to the one it was in. */
static int leave_removed(struct walk *walk, const char *text, size_t length)
{
	bool up = length == 2 && text[0] == '.' && text[1] == '.';
	struct hp_object *above = up ? hp_object_by_inode(walk->engine, walk->at->above) : NULL;

	if (!above || walk->at == walk->root)
		return -ENOENT;
	walk->at = above;
	walk->position += length;
	return 0;
}

static int step(struct walk *walk, struct hp_where *where)
{
	hp_engine *engine = walk->engine;
	struct hp_object *at = walk->at;
	const char *text = walk->rest + walk->position;
	size_t length = strcspn(text, "/");
	bool last = !text[length + strspn(text + length, "/")];
	struct hp_name *name;
	bool unknown;

	if (at->kind != HP_DIR)
		return -ENOTDIR;
	if (!at->name && !at->is_root)
		return leave_removed(walk, text, length);
	if (!(at->attr.access & 1) && at->attr.ino)
		return -EACCES;
	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	if (length == 1 && text[0] == '.') {
		walk->position += length;
		return 0;
	}
	if (length == 2 && text[0] == '.' && text[1] == '.') {
		walk->at = at->is_root || at == walk->root ? at : at->name->parent;
		walk->position += length;
		return 0;
	}
	name = hp_tree_peek(engine, at, text, length);
	if (name && name->offer) {
		int error = hp_tree_accept(engine, name);

		if (error)
			return error;
		remember_name(walk, at, text, length);
	}
	unknown = name && name->unknown;
	if (unknown)
		name = NULL;
	if (last) {
		where->parent = at;
		where->last_length = length;
		memcpy(where->last, text, length);
		where->last[length] = 0;
	}
	if (last && walk->flags & HP_PARENT_ONLY &&
	    (!name || !name->object || walk->flags & HP_NO_FOLLOW || name->object->kind != HP_SYMLINK)) {
		where->name = name;
		where->object = name ? name->object : NULL;
		return 1;
	}
	if (!name || (name->object && name->object->attr.ino == 0 && !name->object->local && last)) {
		if ((at->listed || at->known) && !name && !unknown) {
			missed(walk, at);
			if (!at->listed)
				remember_absence(walk, at, text, length);
			return -ENOENT;
		}
		return ask(walk, unknown);
	}
	if (!name->object) {
		/* absent, but only a listed directory spares the shim the question */
		missed(walk, at);
		return -ENOENT;
	}
	if (name->object->kind == HP_SYMLINK && (!last || walk->slash || !(walk->flags & HP_NO_FOLLOW))) {
		char *target = name->object->target;

		return push_target(walk, target, walk->position + length);
	}
	where->name = name;
	where->object = name->object;
	walk->at = name->object;
	walk->position += length;
	if (!last && name->object->kind != HP_DIR)
		return -ENOTDIR;
	return last ? 1 : 0;
}

/* 0, HP_IS_LOCAL or -errno; -ENOENT with where->parent set when only the last
 * name is missing. */
static int resolve(hp_engine *engine, uint64_t base, const char *path, size_t length, int flags, bool known_only,
		   struct hp_where *where)
{
	struct walk walk = { .engine = engine,
			     .flags = flags,
			     .known_only = known_only,
			     .at = engine->root,
			     .rest = malloc(length + 1) };
	int result = 0;

	memset(where, 0, sizeof *where);
	memcpy(walk.rest, path, length);
	walk.rest[length] = 0;
	walk.slash = length > 0 && path[length - 1] == '/';
	where->must_be_directory = walk.slash;
	walk.root = engine->root;
	if (base && (flags & HP_IN_ROOT || !(length && path[0] == '/')))
		walk.at = hp_object_by_inode(engine, base);
	if (flags & HP_IN_ROOT && walk.at)
		walk.root = walk.at;
	if (!walk.at)
		result = HP_IS_LOCAL;
	while (result == 0) {
		while (walk.rest[walk.position] == '/')
			walk.position++;
		if (!walk.rest[walk.position]) {
			where->object = walk.at;
			where->name = walk.at->name;
			if (walk.at->attr.ino == 0 && !walk.at->local && walk.asked == 0) {
				result = ask(&walk, false);
				continue;
			}
			break;
		}
		where->parent = NULL;
		if (walk.at->local) {
			result = walk_local(&walk);
			if (result == 1)
				result = 0;
			continue;
		}
		result = step(&walk, where);
		if (result == 1 && where->object && where->object->kind == HP_DIR && where->object->local)
			result = HP_IS_LOCAL;
		else if (result == 1 && walk.slash && where->object && where->object->kind != HP_DIR &&
			 !(flags & HP_PARENT_ONLY))
			result = -ENOTDIR;
	}
	free(walk.rest);
	if (walk.asked && result >= 0 && where->object && where->object->kind == HP_DIR)
		hp_ahead_small(engine, where->object, HP_LITTLE_BUDGET); /* who looks at one looks below it next */
	return result == 1 ? 0 : result;
}

int hp_resolve(hp_engine *engine, uint64_t base, const char *path, size_t length, int flags, struct hp_where *where)
{
	int result = resolve(engine, base, path, length, flags, false, where);

	if (result == 0 && where->object)
		where->object->touched = engine->serving.serial;
	return result;
}

bool hp_resolve_known(hp_engine *engine, const char *path, struct hp_where *where)
{
	return resolve(engine, 0, path, strlen(path), HP_FOLLOW, true, where) == 0 && where->object;
}
