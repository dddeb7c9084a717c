#!/bin/sh
# make, a compiler, rebuilds by time stamps.
# prepare: sources
# timeout: 120
cd project || exit 1
make -s -j2 && ./app
make -q && echo up to date
sleep 0.02
touch part3.c
make | grep -c gcc
touch all.h
make -j2 | grep -c gcc
make -q && echo up to date
printf 'int part3(void) { return 300; }\n' > part3.c
make -s && ./app
make -s CFLAGS=-g -B && ./app
# Only objects are compared at home: ld gives the program a build id of its content, which is the same.
exit 0
