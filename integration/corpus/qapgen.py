"""An instance of the quadratic assignment problem: rows, columns, seed."""

import random
import sys

r, c, seed = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
n = r * c
random.seed(seed)
D = [[abs(i // c - j // c) + abs(i % c - j % c) for j in range(n)] for i in range(n)]
F = [[0] * n for _ in range(n)]
for i in range(n):
    for j in range(i):
        F[i][j] = F[j][i] = random.choice([0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 5, 6, 10])
print(n)
for M in (D, F):
    for row in M:
        print(*row)
