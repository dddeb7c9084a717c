#include <cstdio>
#include <stdexcept>
#include <thread>

#include "config.h"
#include "parts.h"

int opened(const char *name);

int main(int, char **words)
{
	int bytes = 0;

	std::thread reader([&] { bytes = part1(opened(words[0])); });
	reader.join();
	std::printf("%d bytes\n", bytes);
	try {
		opened("/no/such/file");
	} catch (const std::runtime_error &error) {
		std::puts(error.what());
	}
#if defined(HAS_NOTHING) || defined(HAS_NO_SUCH_FUNCTION) || defined(FAILS_WHEN_RUN)
	std::puts("configure was lied to");
#endif
	return 0;
}
