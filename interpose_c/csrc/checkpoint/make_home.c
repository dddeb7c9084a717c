/* Files of home in a new mirror: they come when they are asked for, as for the shim.
 *
 * In the maker, confined: home says no to what the job may not. What it opens has a number
 * afterwards, and what is mapped is there whole, since pages are read without any call.
 */
#include "home.h"
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define ROUNDS 8
#define AT_OPENING (O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW)

int hp_home_open(const char *path, int flags)
{
	int fd = -1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct hp_question question = { .path = path };
		question.op = flags & O_PATH ? HP_REQ_NAME : HP_REQ_OPEN;
		question.arg[0] = flags & O_PATH ? HP_WANT_STAT : flags & ~(AT_OPENING | O_CLOEXEC | O_NONBLOCK);
		question.arg[1] = flags & O_PATH && flags & O_NOFOLLOW;
		int64_t answer = hp_home_ask(&question);
		if (answer < 0) {
			errno = (int)-answer;
			return -1;
		}
		fd = open(path, flags & ~(flags & O_PATH ? 0 : AT_OPENING));
		if (answer == HP_RETRY && question.value[3] && !(flags & O_PATH)) {
			struct hp_question settle = { .op = HP_REQ_SETTLE, .base = question.value[3] };
			(void)hp_home_ask(&settle);
		}
		if (fd >= 0 || (errno != ENOENT && errno != EACCES) || answer == HP_LOCAL)
			break;
	}
	return fd;
}

void hp_home_enter(const char *path)
{
	struct hp_question question = { .op = HP_REQ_NAME, .path = path, .arg = { HP_WANT_DIR } };
	(void)hp_home_ask(&question); /* chdir says what is wrong */
}

/* Each file once; of its mappings each range. */
void hp_make_mapped(const struct hp_image *image)
{
	if (!hp_home_is_there())
		return;
	HP_EACH(image, hp_image_object, HP_R_OBJECT, object)
	{
		struct stat found;
		const char *path = hp_image_path(object);
		bool mapped = false, writes = false;
		if (object->kind != HP_O_NAMED || !S_ISREG(object->mode))
			continue;
		HP_EACH(image, hp_image_vma, HP_R_VMA, vma)
		if (vma->object == object->id) {
			mapped = true;
			writes |= vma->shared && vma->prot & PROT_WRITE;
		}
		if (!mapped || !strncmp(path, HP_PRIVATE_DIR "/", sizeof HP_PRIVATE_DIR))
			continue;
		int fd = hp_home_open(path, (writes ? O_RDWR : O_RDONLY) | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &found))
			hp_together_fail(errno, "opening %.150s, which is mapped", path);
		HP_EACH(image, hp_image_vma, HP_R_VMA, vma)
		{
			struct hp_question question = { .op = HP_REQ_MAP, .base = found.st_ino };
			question.arg[0] = (int64_t)vma->offset;
			question.arg[1] = (int64_t)(vma->end - vma->start);
			question.arg[2] = vma->shared && vma->prot & PROT_WRITE;
			if (vma->object != object->id || !hp_home_mirrors(found.st_dev))
				continue;
			int64_t answer = hp_home_ask(&question);
			if (answer < 0 && answer != -ENOENT)
				hp_together_fail((int)-answer, "fetching %.150s, which is mapped", path);
		}
		close(fd);
	}
}

/* Home's first, as it could refuse; then the native one by the caller; then hp_home_locked. */
static int tell_lock(const struct hp_image_lock *lock, uint16_t op)
{
	struct stat found;
	struct hp_attr_entry entry;
	struct hp_question question = { .op = op };
	if (fstat(lock->fd, &found) || !hp_home_object(found.st_dev, found.st_ino, &entry))
		return 0;
	question.base = found.st_ino;
	question.arg[0] = lock->kind == HP_L_FLOCK ? HP_LOCK_WHOLE : HP_LOCK_RANGE;
	question.arg[1] = lock->exclusive ? F_WRLCK : F_RDLCK;
	question.arg[2] = lock->kind == HP_L_FLOCK ? 0 : lock->first;
	question.arg[3] = lock->kind == HP_L_FLOCK || lock->last < 0 ? HP_LOCK_END : lock->last;
	int64_t answer = hp_home_ask(&question);
	return answer < 0 ? (int)-answer : 0;
}

int hp_home_lock(const struct hp_image_lock *lock)
{
	return tell_lock(lock, HP_REQ_LOCK);
}

int hp_home_locked(const struct hp_image_lock *lock)
{
	return tell_lock(lock, HP_REQ_LOCKED);
}
