/* The sum of an image, of a job's and of a program's own (IMAGE.md): it finds damage, not malice. */
#ifndef HPOOL_SUM_H
#define HPOOL_SUM_H

#include <stddef.h>
#include <stdint.h>

/* Of `bytes` behind what has been summed; pieces but the last are multiples of 8. */
static inline uint64_t hp_image_sum(uint64_t sum, const void *bytes, size_t length)
{
	const uint8_t *at = (const uint8_t *)bytes;

	for (; length >= 8; at += 8, length -= 8) {
		uint64_t word;

		__builtin_memcpy(&word, at, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 29;
	}
	for (; length; at++, length--)
		sum = (sum ^ *at) * 0x9e3779b97f4a7c15ull;
	return sum;
}

#endif
