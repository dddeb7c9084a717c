#include <stdexcept>
#include <string>

#include "parts.h"

int opened(const char *name)
{
	int fd = part2(name);

	if (fd < 0)
		throw std::runtime_error(std::string("cannot open ") + name);
	return fd;
}
