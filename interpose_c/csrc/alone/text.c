/* Text, numbers and files, without libc. */
#include "alone.h"

#include <linux/fcntl.h>

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *start = to;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
	return start;
}

void *memset(void *to, int value, size_t bytes)
{
	void *start = to;
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
	return start;
}

size_t hp_a_length(const char *text)
{
	size_t length = 0;
	while (text[length])
		length++;
	return length;
}

const char *hp_a_after(const char *text, const char *prefix)
{
	for (; *prefix; prefix++, text++)
		if (*text != *prefix)
			return NULL;
	return text;
}

bool hp_a_same(const char *a, const char *b)
{
	const char *rest = hp_a_after(a, b);
	return rest && !*rest;
}

bool hp_a_ends(const char *text, const char *tail)
{
	size_t length = hp_a_length(text), end = hp_a_length(tail);
	return length >= end && hp_a_same(text + length - end, tail);
}

uint64_t hp_a_number(const char **text, unsigned base)
{
	uint64_t value = 0;
	for (;; (*text)++) {
		unsigned digit = (unsigned char)**text;
		digit = digit >= 'a' ? digit - 'a' + 10 : digit >= '0' && digit <= '9' ? digit - '0' : base;
		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

void hp_a_format(char *to, size_t room, const char *format, const char *text, long number)
{
	char digits[24];
	size_t at = hp_a_length(to);
	for (; *format; format++) {
		const char *piece = digits;
		char one[2] = { *format, 0 };
		if (*format == '%' && format[1] == 's') {
			piece = text, format++;
		} else if (*format == '%' && format[1] == 'd') {
			unsigned long left = number < 0 ? -(unsigned long)number : (unsigned long)number;
			char *first = digits + sizeof digits - 1;
			*first = 0;
			do
				*--first = (char)('0' + left % 10);
			while (left /= 10);
			if (number < 0)
				*--first = '-';
			piece = first, format++;
		} else {
			piece = one;
		}
		while (*piece && at + 1 < room)
			to[at++] = *piece++;
	}
	to[at] = 0;
}

void hp_a_say(const char *text)
{
	char line[800];
	line[0] = 0;
	hp_a_format(line, sizeof line, "hpool: %s\n", text, 0);
	SYS(write, 2, line, hp_a_length(line));
}

long hp_a_read(const char *path, char *to, size_t room)
{
	long fd = SYS(open, path, O_RDONLY | O_CLOEXEC), got = fd, length = 0;
	if (fd < 0)
		return fd;
	while (length + 1 < (long)room && (got = SYS(read, fd, to + length, room - 1 - (size_t)length)) > 0)
		length += got;
	SYS(close, fd);
	to[length] = 0;
	return got < 0 ? got : length;
}

struct entry {
	uint64_t inode;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

long hp_a_numbers(const char *path, int32_t *numbers, unsigned room)
{
	uint64_t buffer[256];
	unsigned count = 0;
	long fd = SYS(open, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), got = fd;
	if (fd < 0)
		return fd;
	while ((got = SYS(getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < got;) {
			const struct entry *entry = (const void *)((const char *)buffer + at);
			const char *name = entry->name;
			uint64_t number = hp_a_number(&name, 10);
			if (name != entry->name && !*name && count < room && number != (uint64_t)fd)
				numbers[count++] = (int32_t)number;
			at += entry->bytes;
		}
	SYS(close, fd);
	return got < 0 ? got : (long)count;
}

long hp_a_write(int fd, const void *data, uint64_t bytes, uint64_t at)
{
	while (bytes) {
		long put = SYS(pwrite64, fd, data, bytes, at);
		if (put <= 0)
			return put ? put : -28; /* ENOSPC */
		data = (const char *)data + put;
		bytes -= (uint64_t)put;
		at += (uint64_t)put;
	}
	return 0;
}
