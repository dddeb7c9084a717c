"""Whole lines at the end of a file that others append to: appending.py NAME TIMES LENGTH."""

import os
import sys

name, times, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
fd = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
for number in range(times):
    line = f"{name} {number} ".encode()
    os.write(fd, line + b"." * (length - len(line) - 1) + b"\n")
os.close(fd)
print("done")
