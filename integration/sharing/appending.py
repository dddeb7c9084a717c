"""Whole lines at the end of a file that others append to, once all have it open: NAME TIMES LENGTH."""

import os
import sys
import time

name, times, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
fd = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.close(os.open(f"ready.{name}", os.O_WRONLY | os.O_CREAT))
while not all(os.path.exists(f"ready.{each}") for each in ("first", "second", "home")):
    time.sleep(0.005)
for number in range(times):
    line = f"{name} {number} ".encode()
    os.write(fd, line + b"." * (length - len(line) - 1) + b"\n")
os.close(fd)
print("done")
