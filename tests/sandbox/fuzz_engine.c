/* A home that lies: answers the engine's requests with mutated and invented
 * records. Built with ASan and UBSan; argv: seed, rounds, scratch directory.
 * Exits 0 if nothing was touched that should not be, whatever was said. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "home_wire.h"

static hp_engine *engine;
static uint64_t state;

static uint32_t roll(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

static void *asker(void *argument)
{
	static const char *const paths[] = {
		"/home/a/b", "/home/a", "/usr/bin/x", "/tmp/island/d", "/home/link/c", "/"
	};
	long rounds = *(long *)argument;

	for (long i = 0; i < rounds; i++)
		hp_engine_prepare(engine, paths[i % 6], (int)(i / 6 % 2));
	return NULL;
}

static size_t put_entry(uint8_t *at, const char *path)
{
	static const uint32_t modes[] = { 0040755, 0100644, 0120777, 0010600, 0140755, 0 };
	struct hpw_entry entry = { .flags = roll(32),
				   .path_len = (uint32_t)strlen(path),
				   .target_len = roll(8),
				   .content_len = roll(64),
				   .digest_len = roll(2) * 32 };
	size_t strings = entry.path_len + entry.target_len + entry.content_len + entry.digest_len;

	entry.attr = (struct hpw_attr){ .dev = 1,
					.ino = roll(8),
					.nlink = roll(3),
					.mode = modes[roll(6)],
					.access = roll(8),
					.size = roll(3) ? entry.content_len : roll(1u << 20) };
	entry.size = (uint32_t)HPW_ALIGN(sizeof entry + strings);
	memcpy(at, &entry, sizeof entry);
	memset(at + sizeof entry, 'x', entry.size - sizeof entry);
	memcpy(at + sizeof entry, path, entry.path_len);
	return entry.size;
}

static size_t put_reply(uint8_t *at, const struct hpw_request *request)
{
	static const char *const paths[] = { "/",          "/home",    "/home/a",    "/home/a/b",
					     "/usr",       "/usr/bin", "/usr/bin/x", "/../etc",
					     "/home/a/..", "//",       "relative",   "/tmp/island",
					     "/home/link", "" };
	struct hpw_reply reply = { .op = request->op,
				   .id = request->id,
				   .error = roll(3) ? 0 : (int32_t)roll(140),
				   .flags = roll(4) == 0,
				   .count = roll(100000) };
	size_t length = sizeof reply;

	for (uint32_t i = roll(12); i > 0; i--)
		length += put_entry(at + length, paths[roll(14)]);
	reply.size = (uint32_t)length;
	memcpy(at, &reply, sizeof reply);
	if (roll(4) == 0) /* and some bytes of it wrong */
		for (uint32_t i = roll(8); i > 0; i--)
			at[roll((uint32_t)length)] = (uint8_t)roll(256);
	return length;
}

int main(int argc, char **argv)
{
	static uint8_t batch[8u << 20], answer[1u << 20];
	struct hp_engine_config config = { .cache_fd = -1, .mirror_bytes = 64u << 20 };
	char error[256];
	long rounds = argc > 2 ? atol(argv[2]) : 1000;
	pthread_t thread;

	if (argc != 4)
		return 2;
	state = strtoull(argv[1], NULL, 10) + 1;
	config.root_fd = open(argv[3], O_PATH | O_DIRECTORY);
	config.loader_fd = open("/proc/self/exe", O_RDONLY);
	engine = hp_engine_create(&config, error, sizeof error);
	if (!engine) {
		fprintf(stderr, "%s\n", error);
		return 2;
	}
	pthread_create(&thread, NULL, asker, &rounds);
	for (;;) {
		long length = 0;
		int lane;

		for (lane = 0; lane < 2 && length <= 0; lane++)
			length = hp_engine_next(engine, lane, batch, sizeof batch, 20);
		if (length <= 0) {
			if (pthread_tryjoin_np(thread, NULL) == 0)
				break;
			continue;
		}
		for (size_t at = 0; at < (size_t)length;) {
			const struct hpw_request *request = (const void *)(batch + at);
			size_t size = put_reply(answer, request);
			struct hpw_reply last = {
				.size = sizeof last, .op = request->op, .id = request->id, .error = 5
			};

			hp_engine_feed(engine, lane - 1, answer, size);
			hp_engine_feed(engine, lane - 1, (const uint8_t *)&last,
				       sizeof last); /* or it would wait for ever */
			at += request->size;
		}
	}
	hp_engine_close(engine);
	hp_engine_stop(engine);
	return 0;
}
