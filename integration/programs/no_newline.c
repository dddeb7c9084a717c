/* Output without a newline, written just before the end, arrives. */
#include "say.h"

int main(void)
{
	static char block[200000];
	memset(block, 'z', sizeof(block));
	write(1, block, sizeof(block));
	write(2, "last words", 10);
	write(1, "the end", 7);
	_exit(0);
}
