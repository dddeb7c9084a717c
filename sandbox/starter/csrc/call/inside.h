/* What the two halves of a call share: call.c has socket and threads, frames.c nghttp2's side. */
#ifndef HPOOL_CALL_INSIDE_H
#define HPOOL_CALL_INSIDE_H

#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdbool.h>

#include "call.h"

#define PREFIX 5u /* flag and length before each message */
#define INPUT (256u << 10) /* read at once */
#define GATHERED (128u << 10) /* written at once, about */
#define LARGEST_FRAME (64u << 10) /* that nghttp2 makes: headers */
#define TEXT 256u

struct message {
	struct message *next;
	uint8_t *bytes;
	uint32_t length, got;
};

struct hp_call {
	int fd;
	int32_t stream;
	struct hp_call_limits limits;
	pthread_mutex_t lock;
	pthread_cond_t moved; /* the peer took or said something, or the call is over */
	nghttp2_session *session;

	uint8_t prefix[PREFIX]; /* of what is being sent */
	unsigned prefix_sent;
	const uint8_t *sending;
	size_t sending_length;
	bool is_finished;
	size_t out_length, out_sent;

	uint8_t head[PREFIX]; /* of what is being received */
	unsigned head_got;
	struct message *partial, *first, **last;

	bool has_fields, is_over, is_asked;
	int status;
	int64_t heard_ms, asked_ms;
	size_t fields_length;
	char fields[1024], text[TEXT];
	uint8_t out[GATHERED + LARGEST_FRAME], input[INPUT];
};

/* The first reason stands. Both threads wake. Locked, as all that follows. */
void hp_call_end(hp_call *call, const char *why);

/* The session, and the request in it; false: no memory, or too many fields. */
bool hp_call_begin(hp_call *call, const char *const *fields, size_t count);

#endif
