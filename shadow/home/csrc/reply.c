/* Replies: records of entries or of raw data, cut where they would grow too long. */
#include "internal.h"

#include <stdlib.h>

bool hp_reply_room(struct hp_reply *reply, size_t more)
{
	size_t want = reply->used + more, room = reply->room ? reply->room : 4096;
	uint8_t *bytes;

	if (reply->failed)
		return false;
	if (want <= reply->room)
		return true;
	while (room < want)
		room *= 2;
	bytes = realloc(reply->bytes, room);
	if (bytes == NULL) {
		reply->failed = true;
		return false;
	}
	reply->bytes = bytes;
	reply->room = room;
	return true;
}

static void append(struct hp_reply *reply, const void *bytes, size_t length)
{
	if (length != 0 && hp_reply_room(reply, length)) {
		memcpy(reply->bytes + reply->used, bytes, length);
		reply->used += length;
	}
}

static void pad(struct hp_reply *reply)
{
	static const uint8_t zeros[8];

	append(reply, zeros, HPW_ALIGN(reply->used) - reply->used);
}

static void open_record(struct hp_reply *reply)
{
	const struct hpw_reply head = { .op = reply->op, .id = reply->id };

	reply->record = reply->used;
	reply->last_entry = 0;
	reply->count = 0;
	append(reply, &head, sizeof(head));
}

void hp_reply_open(hp_lane *lane, const struct hpw_request *request, uint16_t op)
{
	lane->reply.op = op;
	lane->reply.id = request->id;
	open_record(&lane->reply);
}

void hp_reply_close(hp_lane *lane, int error, uint16_t flags)
{
	struct hp_reply *reply = &lane->reply;
	struct hpw_reply head = { .op = reply->op, .flags = flags, .id = reply->id };

	if (reply->failed)
		return;
	head.size = (uint32_t)(reply->used - reply->record);
	head.error = error;
	head.count = reply->count;
	memcpy(reply->bytes + reply->record, &head, sizeof(head));
}

void hp_reply_error(hp_lane *lane, const struct hpw_request *request, int error)
{
	hp_reply_open(lane, request, request->op);
	hp_reply_close(lane, error, 0);
}

/* Of a directory: may its names be foreseen too? */
static uint32_t sure_of(hp_lane *lane, struct hp_text path, uint32_t flags, const struct hpw_attr *attr)
{
	struct hp_list *list = &lane->list;

	if (!S_ISDIR(attr->mode) || !(attr->sure & HPW_SURE_CHANGES) || !hp_watch_has(lane->home, attr))
		return attr->sure;
	if (lane->reply.op == HPW_LIST && !(flags & HPW_E_SELF)) {
		memcpy(list->path + list->path_len + 1, path.bytes, path.length);
		path = (struct hp_text){ list->path, list->path_len + 1 + path.length };
	}
	if (hp_policy_has_below(&lane->home->policy, path.bytes, path.length))
		return attr->sure;
	return attr->sure | HPW_SURE_NAMES;
}

void hp_entry_begin(hp_lane *lane, uint32_t flags, struct hp_text path, struct hp_text target,
		    const struct hpw_attr *attr, size_t content)
{
	struct hp_reply *reply = &lane->reply;
	struct hpw_entry entry = { .flags = flags };
	size_t length = sizeof(entry) + path.length + target.length + content + 8;

	if (path.length == 0) /* the root */
		path = (struct hp_text){ "/", 1 };
	if (reply->count != 0 && reply->used - reply->record + length > HP_RECORD_MAX) {
		hp_reply_close(lane, 0, HPW_MORE);
		open_record(reply);
	}
	if (!hp_reply_room(reply, length))
		return;
	entry.path_len = (uint32_t)path.length;
	entry.target_len = (uint32_t)target.length;
	if (attr != NULL) {
		entry.attr = *attr;
		entry.attr.sure = sure_of(lane, path, flags, attr);
	}
	if (reply->op == HPW_LIST && !(flags & HPW_E_SELF))
		hp_watch_told(lane->home, (struct hp_text){ lane->list.path, lane->list.path_len }, path, attr);
	else
		hp_watch_told(lane->home, path, hp_no_text(), attr);
	reply->last_entry = reply->used;
	append(reply, &entry, sizeof(entry));
	append(reply, path.bytes, path.length);
	append(reply, target.bytes, target.length);
}

void hp_entry_end(hp_lane *lane)
{
	struct hp_reply *reply = &lane->reply;
	struct hpw_entry *entry;

	pad(reply);
	if (reply->failed)
		return;
	entry = (struct hpw_entry *)(reply->bytes + reply->last_entry);
	entry->size = (uint32_t)(reply->used - reply->last_entry);
	reply->count++;
}

void hp_entry(hp_lane *lane, uint32_t flags, struct hp_text path, struct hp_text target, const struct hpw_attr *attr)
{
	hp_entry_begin(lane, flags, path, target, attr, 0);
	hp_entry_end(lane);
}

/* Room for whole records of another's making. */
uint8_t *hp_reply_raw(hp_lane *lane, size_t room)
{
	return hp_reply_room(&lane->reply, room + 8) ? lane->reply.bytes + lane->reply.used : NULL;
}

uint8_t *hp_reply_data(hp_lane *lane, size_t room)
{
	struct hp_reply *reply = &lane->reply;

	if (!hp_reply_room(reply, sizeof(struct hpw_reply) + room + 8))
		return NULL;
	return reply->bytes + reply->used + sizeof(struct hpw_reply);
}

void hp_reply_data_end(hp_lane *lane, const struct hpw_request *request, int error, size_t length)
{
	struct hp_reply *reply = &lane->reply;

	hp_reply_open(lane, request, request->op);
	reply->used += length; /* hp_reply_data has made the room */
	reply->count = (uint32_t)length;
	pad(reply);
	hp_reply_close(lane, error, 0);
}
