"""One process appends, another follows the file by reading at its end: every line arrives, in order."""

import os
import time

LINES = 200
log = open("follow.log", "w", buffering=1)
pid = os.fork()
if pid == 0:
    with open("follow.log", "a", buffering=1) as out:
        for number in range(LINES):
            out.write(f"line {number}\n")
            if number % 20 == 0:
                time.sleep(0.005)
    os._exit(0)
log.close()
seen: list[str] = []
with open("follow.log") as follow:
    deadline = time.monotonic() + 20
    buffered = ""
    while len(seen) < LINES and time.monotonic() < deadline:
        buffered += follow.read()
        *whole, buffered = buffered.split("\n")
        seen += whole
        time.sleep(0.001)
os.waitpid(pid, 0)
print(len(seen), seen == [f"line {number}" for number in range(LINES)])
