"""Files made, given mode and times, linked and renamed at once: what was set last is what stands, now and later."""

import os

WHEN_NS = 1_577_934_245_678_901_234


def make(number: int) -> None:
    name = f"new{number}"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, b"x" * (number % 3))
    os.utime(fd, ns=(WHEN_NS, WHEN_NS + number))
    os.fchmod(fd, 0o644 if number % 2 else 0o755)
    if number % 4 == 0:
        os.link(name, f"linked{number}")
    if number % 4 == 1:
        os.rename(name, f"renamed{number}")
    if number % 4 == 2:
        os.fchmod(fd, 0o444)
        os.link(name, f"linked{number}")
        os.unlink(name)
    if number % 4 == 3:
        os.utime(name, ns=(WHEN_NS, WHEN_NS - number))
        os.listdir(".")
    os.close(fd)


def seen() -> list[tuple[object, ...]]:
    found = []
    for name in sorted(os.listdir(".")):
        if name.startswith(("new", "linked", "renamed")):
            st = os.stat(name)
            found.append((name, oct(st.st_mode), st.st_nlink, st.st_size, st.st_mtime_ns, st.st_atime_ns))
    return found


for number in range(400):
    make(number)
first = seen()
second = seen()
print(len(first), first == second)
for line in second:
    print(*line)
