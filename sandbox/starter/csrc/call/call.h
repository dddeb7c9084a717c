/* One gRPC call of the starter's, on a connection of its own.
 *
 * One thread may send while another receives. Source of the shape of messages:
 * gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md).
 */
#ifndef HPOOL_CALL_H
#define HPOOL_CALL_H

#include <stddef.h>
#include <stdint.h>

typedef struct hp_call hp_call;

struct hp_call_limits {
	uint32_t message_bytes; /* longest message that is taken */
	uint32_t window_bytes; /* what may be on its way here */
	int quiet_ms;  /* so long without a word, and the peer is asked */
	int answer_ms;  /* it has so long to answer */
};

/* `fd`: a connected socket, ours from now on, also when NULL comes back (no memory). `fields`: count pairs of
 * name and value. */
hp_call *hp_call_open(int fd, const struct hp_call_limits *limits, const char *const *fields, size_t count);

/* Returns when the connection has taken the message: 0, or -1 when the call is over. */
int hp_call_send(hp_call *call, const uint8_t *message, size_t length);

/* Nothing more will be sent. */
void hp_call_finish(hp_call *call);

/* The next message, to be freed with hp_call_free, and its length; -1 when the call is over. */
int64_t hp_call_receive(hp_call *call, uint8_t **message);
void hp_call_free(uint8_t *message);

/* Waits for what the peer says before its first message: fields as "name\0value\0", as many as fit. Their length;
 * -1: the call is over. */
int64_t hp_call_fields(hp_call *call, char *room, size_t size);

/* Why it is over: the peer's grpc-status and grpc-message (percent-encoded), or -1 and what became of the
 * connection. */
int hp_call_status(hp_call *call, char *text, size_t size);

/* Both threads have left. */
void hp_call_close(hp_call *call);

#endif
