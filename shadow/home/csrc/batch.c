/* A batch: its records are checked, then executed one after the other. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>

#define REPLY_KEPT (8u << 20) /* of a lane's buffer, from one run to the next */

enum outcome { ANSWERED, DEFERRED, PAUSED };

enum text_rule { NO_TEXT, PATH, NAME, BYTES, XATTR, ATTR, MAYBE_ATTR, OWNER };

/* What each operation's two strings have to be. */
static const struct op_rule {
	uint8_t first, second;
	bool once; /* answered from the reply cache when asked for again */
} RULES[] = {
	[HPW_RESOLVE] = { PATH, NO_TEXT, false },     [HPW_LIST] = { PATH, NO_TEXT, false },
	[HPW_STATFS] = { PATH, NO_TEXT, false },      [HPW_BUNDLE] = { PATH, NO_TEXT, false },
	[HPW_OPEN] = { PATH, NO_TEXT, false },        [HPW_CLOSE] = { NO_TEXT, NO_TEXT, false },
	[HPW_READ] = { NO_TEXT, NO_TEXT, false },     [HPW_WRITE] = { BYTES, NO_TEXT, false },
	[HPW_TRUNCATE] = { NO_TEXT, NO_TEXT, false }, [HPW_ALLOCATE] = { NO_TEXT, NO_TEXT, false },
	[HPW_FSYNC] = { NO_TEXT, NO_TEXT, false },    [HPW_TMPFILE] = { PATH, NO_TEXT, true },
	[HPW_LINKFILE] = { PATH, MAYBE_ATTR, true },  [HPW_GETATTR] = { PATH, NO_TEXT, false },
	[HPW_SETATTR] = { PATH, ATTR, false },        [HPW_GETXATTR] = { PATH, NAME, false },
	[HPW_SETXATTR] = { PATH, XATTR, true },       [HPW_LISTXATTR] = { PATH, NO_TEXT, false },
	[HPW_REMOVEXATTR] = { PATH, NAME, true },     [HPW_MKDIR] = { PATH, NO_TEXT, true },
	[HPW_RMDIR] = { PATH, NO_TEXT, true },        [HPW_UNLINK] = { PATH, NO_TEXT, true },
	[HPW_RENAME] = { PATH, PATH, true },          [HPW_LINK] = { PATH, PATH, true },
	[HPW_SYMLINK] = { PATH, NAME, true },         [HPW_MKNOD] = { PATH, NO_TEXT, true },
	[HPW_FLOCK] = { NO_TEXT, NO_TEXT, false },    [HPW_FCNTL_LOCK] = { OWNER, NO_TEXT, false },
	[HPW_LEASE] = { NO_TEXT, NO_TEXT, false },    [HPW_EPOCH] = { NO_TEXT, NO_TEXT, true },
};

static bool is_known(uint16_t op)
{
	return op < sizeof(RULES) / sizeof(RULES[0]) &&
	       (op == HPW_CLOSE || op == HPW_READ || op == HPW_TRUNCATE || op == HPW_ALLOCATE || op == HPW_FSYNC ||
		op == HPW_FLOCK || op == HPW_LEASE || op == HPW_EPOCH || RULES[op].first != NO_TEXT);
}

static bool text_fits(enum text_rule rule, struct hp_text text)
{
	bool has_nul = text.length != 0 && memchr(text.bytes, 0, text.length) != NULL;

	switch (rule) {
	case NO_TEXT:
		return text.length == 0;
	case PATH:
		return !has_nul && (text.length == 0 || text.bytes[0] == '/');
	case NAME:
		return !has_nul;
	case XATTR:
		return has_nul;
	case ATTR:
		return text.length == sizeof(struct hpw_attr);
	case MAYBE_ATTR:
		return text.length == 0 || text.length == sizeof(struct hpw_attr);
	case OWNER:
		return text.length == 0 || text.length == sizeof(uint64_t);
	case BYTES:
		break;
	}
	return true;
}

/* The record at `bytes`, if it is well-formed: its fields are copied, as a batch
 * need not be aligned. */
static bool parse(const uint8_t *bytes, size_t length, struct hpw_request *head, struct hp_call *call)
{
	uint64_t texts;

	if (length < sizeof(*head))
		return false;
	memcpy(head, bytes, sizeof(*head));
	texts = (uint64_t)head->len1 + head->len2;
	if (head->size > length || head->size > HPW_MAX_RECORD || head->size % 8 != 0 || !is_known(head->op) ||
	    texts > HPW_MAX_RECORD || head->size != HPW_ALIGN(sizeof(*head) + texts))
		return false;
	call->head = head;
	call->first = (struct hp_text){ (const char *)bytes + sizeof(*head), head->len1 };
	call->second = (struct hp_text){ call->first.bytes + head->len1, head->len2 };
	return text_fits(RULES[head->op].first, call->first) && text_fits(RULES[head->op].second, call->second);
}

static enum outcome execute(hp_lane *lane, const struct hp_call *call)
{
	switch ((enum hpw_op)call->head->op) {
	case HPW_RESOLVE:
		hp_op_resolve(lane, call);
		break;
	case HPW_LIST:
		hp_op_list(lane, call);
		break;
	case HPW_STATFS:
		hp_op_statfs(lane, call);
		break;
	case HPW_CHANGED:
	case HPW_RECALL:
		break; /* home's own word: not known as a request */
	case HPW_BUNDLE:
		return DEFERRED;
	case HPW_OPEN:
		hp_op_open(lane, call);
		break;
	case HPW_CLOSE:
		hp_op_close(lane, call);
		break;
	case HPW_READ:
		hp_op_read(lane, call);
		break;
	case HPW_WRITE:
		hp_op_write(lane, call);
		break;
	case HPW_TRUNCATE:
	case HPW_ALLOCATE:
	case HPW_FSYNC:
		hp_op_resize(lane, call);
		break;
	case HPW_TMPFILE:
		hp_op_tmpfile(lane, call);
		break;
	case HPW_LINKFILE:
		hp_op_linkfile(lane, call);
		break;
	case HPW_GETATTR:
		hp_op_getattr(lane, call);
		break;
	case HPW_SETATTR:
		hp_op_setattr(lane, call);
		break;
	case HPW_GETXATTR:
	case HPW_SETXATTR:
	case HPW_LISTXATTR:
	case HPW_REMOVEXATTR:
		hp_op_xattr(lane, call);
		break;
	case HPW_MKDIR:
	case HPW_SYMLINK:
	case HPW_MKNOD:
		hp_op_make(lane, call);
		break;
	case HPW_RMDIR:
	case HPW_UNLINK:
		hp_op_remove(lane, call);
		break;
	case HPW_RENAME:
		hp_op_rename(lane, call);
		break;
	case HPW_LINK:
		hp_op_link(lane, call);
		break;
	case HPW_LEASE:
		hp_op_lease(lane, call);
		break;
	case HPW_EPOCH:
		hp_op_epoch(lane, call);
		break;
	case HPW_FLOCK:
	case HPW_FCNTL_LOCK:
		return hp_op_lock(lane, call) ? ANSWERED : DEFERRED;
	}
	return lane->list.fd >= 0 && !hp_list_step(lane) ? PAUSED : ANSWERED;
}

/* What an epoch's mark must not come into the middle of. */
static bool changes(uint16_t op)
{
	return op == HPW_OPEN || (op >= HPW_WRITE && op <= HPW_ALLOCATE) || op == HPW_LINKFILE || op == HPW_SETATTR ||
	       op == HPW_SETXATTR || op == HPW_REMOVEXATTR || (op >= HPW_MKDIR && op <= HPW_MKNOD);
}

static enum outcome execute_noted(hp_lane *lane, const struct hp_call *call)
{
	enum outcome outcome;

	if (lane->home->journal == NULL || !changes(call->head->op))
		return execute(lane, call);
	hp_undo_enter(lane->home);
	outcome = execute(lane, call);
	hp_undo_leave(lane->home);
	return outcome;
}

static enum outcome execute_once(hp_lane *lane, const struct hp_call *call)
{
	const struct hpw_request *head = call->head;
	bool once = RULES[head->op].once || (head->op == HPW_OPEN && (head->arg & (O_CREAT | O_TRUNC))) ||
		    (head->op == HPW_WRITE && head->flags & HPW_AT_END);
	size_t start = lane->reply.used;
	enum outcome outcome;

	lane->home->requests++;
	if (!once)
		return execute_noted(lane, call);
	switch (hp_replay_begin(lane, head->id)) {
	case HP_REPLAY_KNOWN:
		lane->home->replayed++;
		return ANSWERED;
	case HP_REPLAY_OVER:
		hp_reply_error(lane, head, ESTALE);
		return ANSWERED;
	case HP_REPLAY_NOMEM:
		lane->reply.failed = true;
		return ANSWERED;
	case HP_REPLAY_NEW:
		break;
	}
	outcome = execute_noted(lane, call);
	hp_replay_keep(lane, head->id, start);
	return outcome;
}

static void begin(hp_lane *lane, struct hp_lane_result *result)
{
	struct hp_reply *reply = &lane->reply;

	if (reply->room > REPLY_KEPT || reply->failed) {
		free(reply->bytes);
		*reply = (struct hp_reply){ 0 };
	}
	reply->used = 0;
	lane->unlocked = false;
	hp_walk_reset(lane); /* what was held is of an earlier moment */
	hp_policy_refresh(&lane->home->policy);
	result->more = 0;
	result->deferred_count = 0;
}

static int end(hp_lane *lane, struct hp_lane_result *result, bool malformed)
{
	hp_walk_reset(lane); /* no directory of the user's stays busy between batches */
	result->reply = lane->reply.bytes;
	result->reply_bytes = lane->reply.used;
	result->unlocked = lane->unlocked;
	if (lane->reply.failed)
		return -2;
	return malformed ? -1 : 0;
}

int hp_lane_run(hp_lane *lane, const uint8_t *batch, size_t length, struct hp_lane_result *result)
{
	begin(lane, result);
	if (lane->list.fd >= 0 && !hp_list_step(lane)) {
		result->more = 1;
		return end(lane, result, false);
	}
	while (result->at < length && !lane->reply.failed) {
		struct hpw_request head;
		struct hp_call call;
		uint64_t at = result->at;

		if (!parse(batch + at, length - at, &head, &call))
			return end(lane, result, true);
		result->at += head.size;
		switch (execute_once(lane, &call)) {
		case ANSWERED:
			break;
		case DEFERRED:
			result->deferred[result->deferred_count++] = at;
			break;
		case PAUSED:
			result->more = 1;
			return end(lane, result, false);
		}
		if (result->at < length &&
		    (lane->reply.used >= HP_PIECE_MAX || result->deferred_count == HP_HOME_DEFERRED)) {
			result->more = 1;
			break;
		}
	}
	return end(lane, result, false);
}

int hp_lane_retry(hp_lane *lane, const uint8_t *request, size_t length, struct hp_lane_result *result)
{
	struct hpw_request head;
	struct hp_call call;
	bool answered;

	begin(lane, result);
	if (!parse(request, length, &head, &call) || (head.op != HPW_FLOCK && head.op != HPW_FCNTL_LOCK))
		return end(lane, result, true);
	answered = hp_op_lock(lane, &call);
	if (end(lane, result, false) != 0)
		return -2;
	return answered ? 1 : 0;
}

static bool keep_piece(uint8_t **whole, size_t *used, const uint8_t *bytes, size_t length)
{
	uint8_t *larger = realloc(*whole, *used + length + 1);

	if (larger == NULL)
		return false;
	*whole = larger;
	memcpy(larger + *used, bytes, length);
	*used += length;
	return true;
}

long hp_home_execute(hp_home *home, const uint8_t *batch, size_t length, uint8_t **reply)
{
	hp_lane *lane = hp_lane_create(home);
	struct hp_lane_result result = { .more = 1 };
	uint8_t *whole = NULL;
	size_t used = 0;
	int error = lane == NULL ? -2 : 0;

	while (error == 0 && result.more) {
		error = hp_lane_run(lane, batch, length, &result);
		if (error == 0 && result.reply_bytes != 0 &&
		    !keep_piece(&whole, &used, result.reply, result.reply_bytes))
			error = -2;
		for (unsigned i = 0; error == 0 && i < result.deferred_count; i++) {
			struct hpw_request head;
			struct hpw_reply refusal = { .size = sizeof(refusal) };

			memcpy(&head, batch + result.deferred[i], sizeof(head));
			refusal.op = head.op;
			refusal.id = head.id;
			refusal.error = head.op == HPW_BUNDLE ? ENOSYS : EAGAIN;
			if (!keep_piece(&whole, &used, (const uint8_t *)&refusal, sizeof(refusal)))
				error = -2;
		}
	}
	if (lane != NULL)
		hp_lane_destroy(lane);
	if (error != 0) {
		free(whole);
		whole = NULL;
	}
	*reply = whole;
	return error != 0 ? error : (long)used;
}

void hp_home_free(uint8_t *reply)
{
	free(reply);
}
