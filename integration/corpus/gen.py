"""Deterministic inputs: proteins, queries, a family, a SAT instance."""

# deterministic inputs
import random

random.seed(7)
aa = "ACDEFGHIKLMNPQRSTVWY"


def seq(n: int) -> str:
    return "".join(random.choice(aa) for _ in range(n))


def mut(s: str, p: float) -> str:
    return "".join(random.choice(aa) if random.random() < p else c for c in s)


q = [seq(300) for _ in range(20)]
with open("db.fa", "w") as f:
    for i in range(20000):
        s = mut(random.choice(q), 0.45) if i % 50 == 0 else seq(random.randint(150, 450))
        f.write(f">p{i}\n{s}\n")
with open("q.fa", "w") as f:
    for i, s in enumerate(q):
        f.write(f">q{i}\n{s}\n")
with open("fam.afa", "w") as f:
    for i in range(30):
        f.write(f">f{i}\n{mut(q[0], 0.25)}\n")
# random 3-SAT near threshold
n = 230
m = int(4.26 * n)
with open("sat.cnf", "w") as f:
    f.write(f"p cnf {n} {m}\n")
    for _ in range(m):
        f.write(" ".join(str(v * random.choice((1, -1))) for v in random.sample(range(1, n + 1), 3)) + " 0\n")
# QAP nug12 (flow & Manhattan distance 3x4), from public QAPLIB definition is grid distance; flows random here
