"""mmap from Python: slices, find, resize, flush, and many small writes through a map."""

import mmap

with open("lines.txt", "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
    print(len(view), view[5000:5010], view.find(b"line 0777"), view.rfind(b"line"))
    view[0:4] = b"LINE"
    view.seek(20)
    print(view.readline())
    view.flush()
    print(open("lines.txt", "rb").read(10))
    view.resize(20_000)
    view[19_990:] = b"0123456789"
with open("lines.txt", "rb") as file:
    print(len(file.read()))
with open("big.bin", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
    print(sum(view[::4096]), view[-17:].hex())
with open("fresh", "w+b") as file:
    file.truncate(1 << 20)
    with mmap.mmap(file.fileno(), 0) as view:
        for offset in range(0, 1 << 20, 1000):
            view[offset] = offset // 1000 % 256
