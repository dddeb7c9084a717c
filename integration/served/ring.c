/* Open MPI: numbers go round a ring, as often as the first argument says, and are added up in blocks. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK 50000

int main(int argc, char **argv)
{
	static unsigned long block[BLOCK];
	unsigned long mine, theirs, sum;
	int rank, count, rounds = argc > 1 ? atoi(argv[1]) : 1;
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &count);
	mine = (unsigned long)rank + 1;
	for (int round = 0; round < rounds; round++) {
		MPI_Sendrecv(&mine, 1, MPI_UNSIGNED_LONG, (rank + 1) % count, 0, &theirs, 1, MPI_UNSIGNED_LONG,
			     (rank + count - 1) % count, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
		mine = mine * 6364136223846793005ul + theirs * 3 + (unsigned long)rank;
		if (round % 1000)
			continue;
		for (int n = 0; n < BLOCK; n++)
			block[n] = mine + (unsigned long)n;
		MPI_Allreduce(MPI_IN_PLACE, block, BLOCK, MPI_UNSIGNED_LONG, MPI_SUM, MPI_COMM_WORLD);
		mine ^= block[BLOCK - 1];
	}
	MPI_Reduce(&mine, &sum, 1, MPI_UNSIGNED_LONG, MPI_SUM, 0, MPI_COMM_WORLD);
	if (rank == 0)
		printf("%lu\n", sum);
	return MPI_Finalize();
}
