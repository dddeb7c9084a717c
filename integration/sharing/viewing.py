"""Appends before and after a program at home did, then reads what there is."""

import os
import time

log = os.open("log", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
os.write(log, b"job 1\n")
os.fsync(log)
os.close(os.open("ready", os.O_CREAT | os.O_WRONLY))
while not os.path.exists("go"):
    time.sleep(0.005)
os.write(log, b"job 2\n")
os.fsync(log)
deadline = time.monotonic() + 5
while os.pread(log, 100, 0).count(b"\n") < 3 and time.monotonic() < deadline:
    time.sleep(0.005)
print(os.pread(log, 100, 0), os.fstat(log).st_size, os.lseek(log, 0, os.SEEK_END))
os.write(log, b"job 3\n")
