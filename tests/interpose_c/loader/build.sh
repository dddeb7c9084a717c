# A compiler driver, make with jobs, the product run.
printf 'all: a.o b.o\n\tgcc -o prog a.o b.o && ./prog\n' > Makefile
echo 'int b(void) { return 42; }' > b.c
echo 'int b(void); int main(void) { return b() != 42; }' > a.c
make -s -j2 && ls && cksum < a.o
