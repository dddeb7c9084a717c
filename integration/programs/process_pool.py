"""multiprocessing: a pool, queues, shared memory, a manager, all three start methods."""

import hashlib
import multiprocessing as mp
import os
from multiprocessing import shared_memory


def part(number: int) -> tuple[int, str]:
    with open("big.bin", "rb") as file:
        file.seek(number * 100_000)
        digest = hashlib.sha256(file.read(100_000)).hexdigest()[:8]
    with open(f"dir/part{number}", "w") as out:
        out.write(digest)
    return number, digest


def feed(queue: "mp.Queue[str]", name: str) -> None:
    with open(name) as file:
        queue.put(file.readline())


def fill(name: str) -> None:
    block = shared_memory.SharedMemory(name)
    block.buf[:5] = b"child"
    block.close()


def main() -> None:
    for method in ("fork", "spawn", "forkserver"):
        context = mp.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(part, range(6)))
        queue = context.Queue()
        process = context.Process(target=feed, args=(queue, "small.txt"))
        process.start()
        print(repr(queue.get()), process.join(), process.exitcode)
    block = shared_memory.SharedMemory(create=True, size=4096)
    process = mp.Process(target=fill, args=(block.name,))
    process.start()
    process.join()
    print(bytes(block.buf[:5]))
    block.close()
    block.unlink()
    print(sorted(os.listdir("dir"))[:9])


if __name__ == "__main__":
    main()
