/* Without standard input a read is at its end at once.
 * stdin:
 */
#include "say.h"

int main(void)
{
	char bytes[10];
	VALUE(read(0, bytes, 10));
	return system("cat; wc -c");
}
