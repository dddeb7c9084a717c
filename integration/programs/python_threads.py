"""Threads, a thread pool and asyncio doing file and process input and output at once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from say import sha


def copy(number: int) -> str:
    name = f"dir/copy{number}"
    Path(name).write_bytes(Path("big.bin").read_bytes()[: 10_000 * number])
    return sha(name)


with ThreadPoolExecutor(8) as pool:
    print(list(pool.map(copy, range(16))))
lock, total = threading.Lock(), 0


def count(name: str) -> None:
    global total
    lines = len(Path(name).read_text().splitlines())
    with lock:
        total += lines


threads = [threading.Thread(target=count, args=("lines.txt",)) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(total)


async def main() -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            "sed", "-n", f"{n}p", "lines.txt", stdout=asyncio.subprocess.PIPE
        )
        for n in (1, 500, 1000)
    ]
    print([(await process.communicate())[0] for process in processes])
    read = await asyncio.gather(*(asyncio.to_thread(Path("small.txt").read_text) for _ in range(5)))
    print(set(read))


asyncio.run(main())
