/* No libc: for layouts that none is linked at. Says what of its memory and arguments is as the file says. */
#ifndef ZEROS
#define ZEROS 300000
#endif
static char zeros[ZEROS];
static int words[5000] = { 5, [4999] = 6 };

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

void body(long *top)
{
	char line[] = "args ? words ? zeros ?\n", text[6];
	long sum = 0, file;

	for (int i = 0; i < ZEROS; i += 4096)
		sum += zeros[i];
	line[5] = (char)('0' + top[0]);
	line[13] = (char)('0' + (words[0] == 5 && words[4999] == 6 && words[1] == 0));
	line[21] = (char)('0' + sum);
	zeros[1000] = 1;
	call(1, 1, (long)line, sizeof line - 1);
	file = call(2, (long)"small.txt", 0, 0);
	call(1, 1, (long)text, call(0, file, (long)text, 6));
	call(60, 7, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp,%rdi; and $-16,%rsp; call body; hlt");
