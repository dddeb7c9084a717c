"""A file emptied and written again and again, small and large, while others read, append and look."""

import os
import subprocess
import sys
from pathlib import Path

READER = """
import sys
for line in sys.stdin:
    name, size = line.split()
    with open(name, "rb") as file:
        content = file.read()
    print(len(content) == int(size), content == content[:1] * len(content), flush=True)
"""

SIZES = [10, 0, 70_000, 3, 300_000, 5_000, 1_500_000, 1, 262_144, 262_145, 40]
reader = subprocess.Popen(
    [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
)
assert reader.stdin and reader.stdout
wrong = 0
for turn in range(66):
    size = SIZES[turn % len(SIZES)]
    name = "state" if turn % 3 else f"state{turn % 4}"
    with open(name, "wb") as file:
        file.write(bytes([65 + turn % 26]) * size)
        if turn % 5 == 0:
            file.flush()
            os.fchmod(file.fileno(), 0o640)
    reader.stdin.write(f"{name} {size}\n")
    reader.stdin.flush()
    wrong += reader.stdout.readline() != "True True\n"
    if turn % 7 == 0:
        with open(name, "ab") as file:
            file.write(bytes([65 + turn % 26]) * 9)
        wrong += os.path.getsize(name) != size + 9
    if turn % 11 == 0:
        with open(name, "r+b") as file:
            file.truncate(size // 2)
        wrong += os.path.getsize(name) != size // 2
reader.stdin.close()
reader.wait()
print("wrong:", wrong)

# one descriptor writes on while the name is emptied by another
with open("shared", "wb", buffering=0) as first:
    first.write(b"1" * 100_000)
    with open("shared", "wb", buffering=0) as second:
        second.write(b"2" * 10)
        first.write(b"3" * 10)
    print(os.fstat(first.fileno()).st_size)
content = Path("shared").read_bytes()
print(content[:10], content[10:100_000] == bytes(99_990), content[100_000:])
for name in ("state", "state0", "state1", "state2", "state3"):
    print(name, os.path.getsize(name), oct(os.stat(name).st_mode))
