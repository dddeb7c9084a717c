"""A server that waits with epoll; clients that send lines of many sizes, end their half, come again."""

import contextlib
import hashlib
import os
import selectors
import socket

CLIENTS, ROUNDS = 5, 2500


def ask(port: int, name: int) -> None:
    state, connection = hashlib.sha256(b"%d" % name), None
    for number in range(ROUNDS):
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", port))
            answers = connection.makefile("rb")
        line = state.hexdigest().encode() * (number % 400 + 1) + b"\n"
        connection.sendall(line)
        answer = answers.readline()
        assert answer == line[-2::-1] + b"\n", (name, number)
        state.update(answer)
        if number % 97 == 96:
            connection.shutdown(socket.SHUT_WR)
            assert answers.read() == b""
            connection.close()
            connection = None
    with open(f"client{name}", "w") as file:
        file.write(state.hexdigest())


def serve(door: socket.socket, children: set[int]) -> None:
    waiting = selectors.EpollSelector()
    waiting.register(door, selectors.EVENT_READ, bytearray())
    unread: dict[socket.socket, bytes] = {}
    while children:
        for key, _ in waiting.select(0.05):
            if key.fileobj is door:
                fresh, _ = door.accept()
                fresh.setblocking(False)
                unread[fresh] = b""
                waiting.register(fresh, selectors.EVENT_READ, bytearray())
                continue
            guest, out = key.fileobj, key.data
            assert isinstance(guest, socket.socket)
            part = None
            with contextlib.suppress(BlockingIOError):
                part = guest.recv(65536)
            if part == b"":
                waiting.unregister(guest)
                guest.close()
                continue
            *lines, unread[guest] = (unread[guest] + (part or b"")).split(b"\n")
            for line in lines:
                out += line[::-1] + b"\n"
            with contextlib.suppress(BlockingIOError):
                del out[: guest.send(out)]
            waiting.modify(guest, selectors.EVENT_READ | (selectors.EVENT_WRITE if out else 0), out)
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended:
            assert status == 0, status
            children.remove(ended)


door = socket.create_server(("127.0.0.1", 0), backlog=50)
children = set()
for name in range(CLIENTS):
    child = os.fork()
    if child == 0:
        ask(door.getsockname()[1], name)
        os._exit(0)
    children.add(child)
serve(door, children)
print("all have been answered")
