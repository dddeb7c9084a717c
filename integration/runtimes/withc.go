//go:build cgo

package main

/*
#include <stdio.h>
#include <pthread.h>
static void *body(void *told) { return told; }
static int twice(int n) {
	pthread_t thread;
	void *told;
	pthread_create(&thread, NULL, body, (void *)(long)n);
	pthread_join(thread, &told);
	FILE *file = fopen("from_c", "w");
	fprintf(file, "written by C\n");
	fclose(file);
	return 2 * (int)(long)told;
}
*/
import "C"

func withC() int { return int(C.twice(21)) }
