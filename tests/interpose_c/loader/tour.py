"""Threads, processes and signals as CPython uses them. Prints nothing that differs between two runs."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

alarms: list[int] = []


def work() -> None:
    for _ in range(300):
        os.stat("/")
        os.listdir("/etc")


def main() -> None:
    signal.signal(signal.SIGALRM, lambda number, _frame: alarms.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("alarms", len(alarms) > 5)
    print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"fed\n", capture_output=True, check=False))
    try:
        subprocess.run(["/no/such/program"], check=False)
    except FileNotFoundError as error:
        print(error)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(sum(pool.map(abs, range(-100, 0))))
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 6"], {})
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    database = sqlite3.connect("x.db")
    database.execute("create table t(a)")
    database.execute("insert into t values (4)")
    database.commit()
    print(database.execute("select a from t").fetchall())
    print(Path("/proc/self/comm").read_text(encoding="ascii").strip(), sys.executable)
    print(Path(os.readlink("/proc/self/exe")).name == Path(os.path.realpath(sys.executable)).name)


if __name__ == "__main__":
    main()
