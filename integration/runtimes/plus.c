/* A library that is found by name, by RUNPATH, or put in front of the others. */
#include <stdio.h>

__attribute__((constructor)) static void here(void)
{
	fputs("plus is here\n", stderr);
}

int plus(int number)
{
	return number + 1;
}

int getpid(void)
{
	return 4242;
}
