/* A gRPC call by nghttp2: framing, flow control, keepalive.
 *
 * gRPC's core wakes five threads for a message and its answer, in Python each for the interpreter's lock
 * too. Here the thread that waits for an answer reads it from the socket itself, and who
 * sends writes to the socket itself.
 *
 * The session of nghttp2 is used under the lock, which nobody holds while he waits. Only the receiver reads the
 * socket; both write, what nghttp2 wants said is gathered in `out` first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "inside.h"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void hp_call_end(hp_call *call, const char *why)
{
	if (call->is_over)
		return;
	call->is_over = true;
	if (call->text[0] == 0)
		strncpy(call->text, why, TEXT - 1);
	shutdown(call->fd, SHUT_RDWR);
	pthread_cond_broadcast(&call->moved);
}

/* Writes until nothing is left to say or the socket is full. */
static void write_out(hp_call *call)
{
	while (!call->is_over) {
		const uint8_t *frame;
		ssize_t got = 1, put;

		while (call->out_length < GATHERED && (got = nghttp2_session_mem_send(call->session, &frame)) > 0) {
			if ((size_t)got > sizeof call->out - call->out_length) {
				hp_call_end(call, "a frame of ours is too large");
				return;
			}
			memcpy(call->out + call->out_length, frame, (size_t)got);
			call->out_length += (size_t)got;
		}
		if (got < 0) {
			hp_call_end(call, nghttp2_strerror((int)got));
			return;
		}
		if (call->out_length == 0)
			return;
		put = send(call->fd, call->out + call->out_sent, call->out_length - call->out_sent,
			   MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno == EAGAIN)
			return;
		if (put < 0 && errno != EINTR) {
			hp_call_end(call, strerrordesc_np(errno));
			return;
		}
		call->out_sent += put > 0 ? (size_t)put : 0;
		if (call->out_sent == call->out_length)
			call->out_sent = call->out_length = 0;
	}
}

/* When to ask, or to give up. */
static int64_t patience_ends_ms(const hp_call *call)
{
	return call->is_asked ? call->asked_ms + call->limits.answer_ms : call->heard_ms + call->limits.quiet_ms;
}

static void ask_or_give_up(hp_call *call)
{
	if (now_ms() < patience_ends_ms(call))
		return;
	if (call->is_asked) {
		hp_call_end(call, "no word from it");
		return;
	}
	call->is_asked = true;
	call->asked_ms = now_ms();
	nghttp2_submit_ping(call->session, NGHTTP2_FLAG_NONE, NULL);
	write_out(call);
}

static void read_in(hp_call *call)
{
	ssize_t got = recv(call->fd, call->input, INPUT, MSG_DONTWAIT), taken;
	int error = errno;

	pthread_mutex_lock(&call->lock);
	if (got < 0 && (error == EAGAIN || error == EINTR)) {
		write_out(call);
		ask_or_give_up(call);
	} else if (got <= 0) {
		hp_call_end(call, got == 0 ? "the connection was closed" : strerrordesc_np(error));
	} else {
		call->heard_ms = now_ms();
		call->is_asked = false;
		taken = nghttp2_session_mem_recv(call->session, call->input, (size_t)got);
		if (taken < 0)
			hp_call_end(call, nghttp2_strerror((int)taken));
		write_out(call);
	}
	pthread_cond_broadcast(&call->moved);
	pthread_mutex_unlock(&call->lock);
}

/* Locked before and after. */
static void await_input(hp_call *call)
{
	struct pollfd ready = { .fd = call->fd, .events = call->out_length ? POLLIN | POLLOUT : POLLIN };
	int64_t wait_ms = patience_ends_ms(call) - now_ms();

	pthread_mutex_unlock(&call->lock);
	poll(&ready, 1, wait_ms > 0 ? (int)wait_ms : 0);
	read_in(call);
	pthread_mutex_lock(&call->lock);
}

hp_call *hp_call_open(int fd, const struct hp_call_limits *limits, const char *const *fields, size_t count)
{
	hp_call *call = calloc(1, sizeof *call);

	if (!call) {
		close(fd);
		return NULL;
	}
	call->fd = fd;
	call->limits = *limits;
	call->last = &call->first;
	call->status = -1;
	call->heard_ms = now_ms();
	pthread_mutex_init(&call->lock, NULL);
	pthread_cond_init(&call->moved, NULL);
	if (!hp_call_begin(call, fields, count)) {
		hp_call_close(call);
		return NULL;
	}
	write_out(call);
	return call;
}

int hp_call_send(hp_call *call, const uint8_t *message, size_t length)
{
	int result;

	pthread_mutex_lock(&call->lock);
	for (unsigned i = 1; i < PREFIX; i++)
		call->prefix[i] = (uint8_t)(length >> 8 * (PREFIX - 1 - i));
	call->prefix_sent = 0;
	call->sending = message;
	call->sending_length = length;
	nghttp2_session_resume_data(call->session, call->stream);
	while (!call->is_over) {
		struct pollfd room = { .fd = call->fd, .events = POLLOUT };

		write_out(call);
		if (!call->sending && call->out_length == 0)
			break;
		if (call->out_length == 0) { /* the peer's window is full */
			pthread_cond_wait(&call->moved, &call->lock);
			continue;
		}
		pthread_mutex_unlock(&call->lock);
		poll(&room, 1, -1);
		pthread_mutex_lock(&call->lock);
	}
	call->sending = NULL; /* it is the caller's */
	result = call->is_over ? -1 : 0;
	pthread_mutex_unlock(&call->lock);
	return result;
}

void hp_call_finish(hp_call *call)
{
	pthread_mutex_lock(&call->lock);
	call->is_finished = true;
	nghttp2_session_resume_data(call->session, call->stream);
	write_out(call);
	pthread_mutex_unlock(&call->lock);
}

int64_t hp_call_receive(hp_call *call, uint8_t **bytes)
{
	struct message *message;
	int64_t length = -1;

	pthread_mutex_lock(&call->lock);
	while (!call->first && !call->is_over)
		await_input(call);
	message = call->first;
	if (message) { /* what came before the end is given first */
		call->first = message->next;
		if (!call->first)
			call->last = &call->first;
		*bytes = message->bytes;
		length = message->length;
		free(message);
	}
	pthread_mutex_unlock(&call->lock);
	return length;
}

void hp_call_free(uint8_t *message)
{
	free(message);
}

int64_t hp_call_fields(hp_call *call, char *room, size_t size)
{
	int64_t length = -1;

	pthread_mutex_lock(&call->lock);
	while (!call->has_fields && !call->is_over)
		await_input(call);
	if (call->has_fields && call->fields_length <= size) {
		memcpy(room, call->fields, call->fields_length);
		length = (int64_t)call->fields_length;
	}
	pthread_mutex_unlock(&call->lock);
	return length;
}

int hp_call_status(hp_call *call, char *text, size_t size)
{
	int status;

	pthread_mutex_lock(&call->lock);
	strncpy(text, call->text, size - 1);
	text[size - 1] = 0;
	status = call->status;
	pthread_mutex_unlock(&call->lock);
	return status;
}

void hp_call_close(hp_call *call)
{
	struct message *next;

	for (struct message *message = call->first; message; message = next) {
		next = message->next;
		free(message->bytes);
		free(message);
	}
	if (call->partial)
		free(call->partial->bytes);
	free(call->partial);
	nghttp2_session_del(call->session);
	pthread_cond_destroy(&call->moved);
	pthread_mutex_destroy(&call->lock);
	close(call->fd);
	free(call);
}
