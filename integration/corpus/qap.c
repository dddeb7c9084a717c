/* Branch & bound for the quadratic assignment problem, Gilmore-Lawler bound. nug-style: grid distances.
   Reads instance from a file, writes a checkpoint-free log, prints optimum. Pure C, stdio only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>
#define MX 32
static int n, F[MX][MX], D[MX][MX], perm[MX], usedl[MX], best = INT_MAX, bp[MX];
static long long nodes;
static int lap(int m, int c[MX][MX])
{
	int u[MX + 1] = { 0 }, v[MX + 1] = { 0 }, p[MX + 1] = { 0 }, way[MX + 1];
	for (int i = 1; i <= m; i++) {
		p[0] = i;
		int j0 = 0, minv[MX + 1];
		char used[MX + 1] = { 0 };
		for (int j = 0; j <= m; j++)
			minv[j] = INT_MAX;
		do {
			used[j0] = 1;
			int i0 = p[j0], d = INT_MAX, j1 = 0;
			for (int j = 1; j <= m; j++)
				if (!used[j]) {
					int cur = c[i0 - 1][j - 1] - u[i0] - v[j];
					if (cur < minv[j]) {
						minv[j] = cur;
						way[j] = j0;
					}
					if (minv[j] < d) {
						d = minv[j];
						j1 = j;
					}
				}
			for (int j = 0; j <= m; j++)
				if (used[j]) {
					u[p[j]] += d;
					v[j] -= d;
				} else
					minv[j] -= d;
			j0 = j1;
		} while (p[j0]);
		do {
			int j1 = way[j0];
			p[j0] = p[j1];
			j0 = j1;
		} while (j0);
	}
	return -v[0];
}
static int ci(const void *a, const void *b)
{
	return *(int *)a - *(int *)b;
}
static void rec(int k, int cost)
{
	nodes++;
	if ((nodes & ((1 << 18) - 1)) == 0) {
		fprintf(stderr, "nodes=%lld best=%d\n", nodes, best);
	}
	if (k == n) {
		if (cost < best) {
			best = cost;
			memcpy(bp, perm, sizeof bp);
			printf("best %d after %lld\n", best, nodes);
			fflush(stdout);
		}
		return;
	}
	int m = n - k, L[MX], nl = 0;
	for (int l = 0; l < n; l++)
		if (!usedl[l])
			L[nl++] = l;
	int c[MX][MX], fr[MX][MX], dr[MX][MX];
	for (int a = 0; a < m; a++) {
		int t = 0;
		for (int b = 0; b < m; b++)
			if (b != a)
				fr[a][t++] = F[k + a][k + b];
		qsort(fr[a], t, 4, ci);
		t = 0;
		for (int b = 0; b < m; b++)
			if (b != a)
				dr[a][t++] = D[L[a]][L[b]];
		qsort(dr[a], t, 4, ci);
	}
	for (int a = 0; a < m; a++)
		for (int b = 0; b < m; b++) {
			int s = 0;
			for (int t = 0; t < m - 1; t++)
				s += fr[a][t] * dr[b][m - 2 - t];
			int x = 0;
			for (int q = 0; q < k; q++)
				x += 2 * F[k + a][q] * D[L[b]][perm[q]];
			c[a][b] = s + x;
		}
	int save[MX][MX];
	memcpy(save, c, sizeof c);
	int lb = cost + lap(m, c);
	if (lb >= best)
		return;
	int ord[MX];
	for (int i = 0; i < m; i++)
		ord[i] = i;
	for (int i = 0; i < m; i++)
		for (int j = i + 1; j < m; j++)
			if (save[0][ord[j]] < save[0][ord[i]]) {
				int t = ord[i];
				ord[i] = ord[j];
				ord[j] = t;
			}
	for (int i = 0; i < m; i++) {
		int l = L[ord[i]];
		int inc = 0;
		for (int q = 0; q < k; q++)
			inc += 2 * F[k][q] * D[l][perm[q]];
		usedl[l] = 1;
		perm[k] = l;
		rec(k + 1, cost + inc);
		usedl[l] = 0;
	}
}
int main(int c, char **v)
{
	FILE *f = fopen(v[1], "r");
	if (!f) {
		perror(v[1]);
		return 2;
	}
	if (fscanf(f, "%d", &n) != 1)
		return 2;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			if (fscanf(f, "%d", &D[i][j]) != 1)
				return 2;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			if (fscanf(f, "%d", &F[i][j]) != 1)
				return 2;
	fclose(f);
	rec(0, 0);
	printf("OPT %d nodes %lld perm", best, nodes);
	for (int i = 0; i < n; i++)
		printf(" %d", bp[i] + 1);
	puts("");
	return 0;
}
