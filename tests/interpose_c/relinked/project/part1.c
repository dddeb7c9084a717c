#include <unistd.h>

#include "config.h"
#include "parts.h"

int part1(int fd)
{
	char bytes[16];

	return (int)read(fd, bytes, sizeof bytes);
}
