"""Transactions in a sqlite database, each announced when it is done: committing.py TIMES.

Between two of them the database is closed, or not, in turn.
"""

import sqlite3
import sys

database = None
for number in range(int(sys.argv[1])):
    if database is None:
        database = sqlite3.connect("shared.db", timeout=60, isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    database.execute("UPDATE total SET sum = sum + 1")
    database.execute("INSERT INTO entries VALUES ('job', ?, (SELECT sum FROM total))", (number,))
    database.execute("COMMIT")
    print(number, flush=True)
    if number % 2:
        database.close()
        database = None
