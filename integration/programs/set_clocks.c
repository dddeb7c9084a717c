/* Clocks that may not be set: what is wrong with the call is said before that.
 * fronts: auto shim
 */
#include <sys/time.h>
#include "say.h"

int main(void)
{
	struct timespec odd = { 1, 1000000000 }, fine = { 1000000000, 0 };
	struct timeval odd_too = { 1, 1000001 }, fine_too = { 1000000000, 0 };
	TRY(clock_settime(CLOCK_MONOTONIC, &fine));
	TRY(clock_settime(99, &fine));
	TRY(syscall(SYS_clock_settime, CLOCK_REALTIME, NOWHERE));
	TRY(clock_settime(CLOCK_REALTIME, &odd));
	TRY(clock_settime(CLOCK_REALTIME, &fine));
	TRY(clock_settime(CLOCK_PROCESS_CPUTIME_ID, &fine));
	TRY(syscall(SYS_settimeofday, &odd_too, NULL));
	TRY(syscall(SYS_settimeofday, NOWHERE, NULL));
	TRY(syscall(SYS_settimeofday, NULL, NOWHERE));
	TRY(syscall(SYS_settimeofday, &fine_too, NULL));
	return 0;
}
