/* A call as nghttp2 sees it: what it asks for and tells, the request. */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_WANTED (1u << 20) /* large answers in few frames */
#define MOST_FIELDS 24u

static ssize_t give_data(nghttp2_session *session, int32_t stream, uint8_t *room, size_t size, uint32_t *flags,
			 nghttp2_data_source *source, void *user)
{
	hp_call *call = user;
	size_t count = 0, part;

	(void)session;
	(void)stream;
	(void)source;
	if (!call->sending) {
		if (!call->is_finished)
			return NGHTTP2_ERR_DEFERRED;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return 0;
	}
	for (; call->prefix_sent < PREFIX && count < size; count++)
		room[count] = call->prefix[call->prefix_sent++];
	part = size - count < call->sending_length ? size - count : call->sending_length;
	memcpy(room + count, call->sending, part);
	call->sending += part;
	call->sending_length -= part;
	if (call->prefix_sent == PREFIX && call->sending_length == 0)
		call->sending = NULL;
	return (ssize_t)(count + part);
}

static struct message *begin_message(const hp_call *call)
{
	uint32_t length = (uint32_t)call->head[1] << 24 | (uint32_t)call->head[2] << 16 | (uint32_t)call->head[3] << 8 |
			  call->head[4];
	struct message *message;

	if (call->head[0] != 0 || length > call->limits.message_bytes)
		return NULL;
	message = calloc(1, sizeof *message);
	if (message && !(message->bytes = malloc(length ? length : 1))) {
		free(message);
		return NULL;
	}
	if (message)
		message->length = length;
	return message;
}

static int take_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t length,
		     void *user)
{
	hp_call *call = user;

	(void)session;
	(void)flags;
	(void)stream;
	while (length > 0) {
		struct message *message = call->partial;
		size_t part;

		if (!message) {
			call->head[call->head_got++] = *data++;
			length--;
			if (call->head_got < PREFIX)
				continue;
			call->head_got = 0;
			message = call->partial = begin_message(call);
			if (!message) {
				hp_call_end(call, "it sent a message too long, squeezed, or there is no memory");
				return NGHTTP2_ERR_CALLBACK_FAILURE;
			}
		}
		part = message->length - message->got < length ? message->length - message->got : length;
		memcpy(message->bytes + message->got, data, part);
		message->got += (uint32_t)part;
		data += part;
		length -= part;
		if (message->got == message->length) {
			*call->last = message;
			call->last = &message->next;
			call->partial = NULL;
		}
	}
	return 0;
}

static bool is_named(const char *name, const uint8_t *given, size_t length)
{
	return strlen(name) == length && memcmp(name, given, length) == 0;
}

static int take_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
		      const uint8_t *value, size_t value_length, uint8_t flags, void *user)
{
	hp_call *call = user;
	char *room = call->fields + call->fields_length;

	(void)session;
	(void)frame;
	(void)flags;
	if (is_named("grpc-status", name, name_length)) {
		call->status = atoi((const char *)value); /* nghttp2 ends each with a NUL */
	} else if (is_named("grpc-message", name, name_length)) {
		size_t part = value_length < TEXT - 1 ? value_length : TEXT - 1;

		memcpy(call->text, value, part);
		call->text[part] = 0;
	} else if (!call->has_fields && name[0] != ':' &&
		   name_length + value_length + 2 <= sizeof call->fields - call->fields_length) {
		memcpy(room, name, name_length + 1);
		memcpy(room + name_length + 1, value, value_length + 1);
		call->fields_length += name_length + value_length + 2;
	}
	return 0;
}

static int take_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	hp_call *call = user;

	(void)session;
	if (frame->hd.type == NGHTTP2_HEADERS)
		call->has_fields = true;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.last_stream_id < call->stream)
		hp_call_end(call, "it takes no more calls");
	return 0;
}

static int take_end(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
	hp_call *call = user;

	(void)session;
	if (stream == call->stream)
		hp_call_end(call, nghttp2_http2_strerror(error));
	return 0;
}

bool hp_call_begin(hp_call *call, const char *const *fields, size_t count)
{
	nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, call->limits.window_bytes },
		{ NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_WANTED },
	};
	nghttp2_data_provider data = { .read_callback = give_data };
	nghttp2_session_callbacks *callbacks;
	nghttp2_nv pairs[MOST_FIELDS];
	bool is_begun;

	if (count > MOST_FIELDS || nghttp2_session_callbacks_new(&callbacks))
		return false;
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_data);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, take_field);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, take_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, take_end);
	is_begun = nghttp2_session_client_new(&call->session, callbacks, call) == 0;
	nghttp2_session_callbacks_del(callbacks);
	if (!is_begun)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint8_t *name = (uint8_t *)(unsigned long)fields[2 * i],
			*value = (uint8_t *)(unsigned long)fields[2 * i + 1];

		pairs[i] =
			(nghttp2_nv){ name, value, strlen((char *)name), strlen((char *)value), NGHTTP2_NV_FLAG_NONE };
	}
	if (nghttp2_submit_settings(call->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) ||
	    nghttp2_session_set_local_window_size(call->session, NGHTTP2_FLAG_NONE, 0,
						  (int32_t)call->limits.window_bytes))
		return false;
	call->stream = nghttp2_submit_request(call->session, NULL, pairs, count, &data, NULL);
	return call->stream > 0;
}
