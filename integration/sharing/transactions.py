"""Many small transactions in one sqlite database: transactions.py NAME TIMES.

Each reads a sum, adds a row that repeats it, and raises it: a lost or doubled
transaction breaks the chain of sums.
"""

import sqlite3
import sys

name, times = sys.argv[1], int(sys.argv[2])
database = sqlite3.connect("shared.db", timeout=60, isolation_level=None)
for number in range(times):
    database.execute("BEGIN IMMEDIATE")
    (total,) = database.execute("SELECT sum FROM total").fetchone()
    database.execute("INSERT INTO entries VALUES (?, ?, ?)", (name, number, total))
    database.execute("UPDATE total SET sum = sum + 1")
    database.execute("COMMIT")
print("done")
