"""Many new files one after the other: what fstat said of each is what stat and another process say later."""

import os
import subprocess
import sys

os.makedirs("many/deep", exist_ok=True)
seen = {}
for number in range(1500):
    name = f"many/{'deep/' if number % 5 == 4 else ''}f{number}"
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640 if number % 7 == 0 else 0o666)
    st = os.fstat(fd)
    if number % 3:
        os.write(fd, b"line %d\n" % number * (number % 40))
    os.close(fd)
    seen[name] = (st.st_ino, st.st_dev, st.st_nlink, st.st_mode, st.st_uid, st.st_gid, number, st)

later = {name: os.stat(name) for name in seen}
print(len({st.st_ino for st in later.values()}), len(seen))
print(all(later[n][:6] == (was[3], was[0], was[1], was[2], was[4], was[5]) for n, was in seen.items()))
empty = [name for name, was in seen.items() if not was[6] % 3]
print(all(later[n].st_ctime_ns == seen[n][7].st_ctime_ns for n in empty))
print(all(later[n].st_mtime_ns == seen[n][7].st_mtime_ns for n in empty))
print(all(later[n].st_mtime_ns >= seen[n][7].st_mtime_ns for n in seen))
code = "import os; print(sorted((e.name, e.inode(), e.stat().st_size) for e in os.scandir('many') if e.is_file()))"
first = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
mine = sorted((n[5:], later[n].st_ino, later[n].st_size) for n in seen if n.count("/") == 1)
print(first == f"{mine}\n")
os.sync()
print(
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == first
)
print(all(os.stat(n)[:7] == later[n][:7] and os.stat(n).st_ctime == later[n].st_ctime for n in seen))
print(os.stat("many").st_nlink, len(os.listdir("many")), len(os.listdir("many/deep")))
total = subprocess.run(
    "cat many/f* many/deep/f* | sha256sum", shell=True, capture_output=True, check=True
).stdout
print(total)
