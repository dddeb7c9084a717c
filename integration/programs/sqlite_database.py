"""SQLite: rollback journal, WAL, two connections, a rolled back transaction, integrity, vacuum."""

import os
import sqlite3
import subprocess
import sys

for mode in ("delete", "truncate", "persist", "wal", "memory"):
    name = f"{mode}.db"
    with sqlite3.connect(name) as first:
        print(mode, first.execute(f"pragma journal_mode={mode}").fetchone())
        first.execute("pragma synchronous=full")
        first.execute("create table t(a integer primary key, b text)")
        first.executemany("insert into t(b) values(?)", [(f"row {n}",) for n in range(500)])
    second = sqlite3.connect(name, timeout=0.1)
    print(second.execute("select count(*), max(b) from t").fetchone())
    first.execute("begin immediate")
    first.execute("update t set b='changed'")
    try:
        second.execute("delete from t")
        print("both wrote")
    except sqlite3.OperationalError as error:
        print(error)
    second.rollback()
    first.rollback()
    print(second.execute("select count(*) from t where b='changed'").fetchone())
    child = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('insert into t(b) values(1)'); c.commit()"
    subprocess.run([sys.executable, "-c", child, name], check=True)
    print(first.execute("select count(*) from t").fetchone())
    for n in range(30):
        first.execute("insert into t(b) values(?)", (n,))
        first.commit()
    print(first.execute("pragma integrity_check").fetchone())
    first.execute("vacuum")
    second.close()
    first.close()
    lines = list(sqlite3.connect(name).iterdump())
    print(len(lines), lines[-2])
os.unlink("persist.db-journal")  # keeps a random number from before
