"""FRR that takes its time: vty sockets that pass every command on after a pause.

On an idle machine a whole plan is carried out before FRR sends its first UPDATE, so that no peer sees the
states in between. With pauses between the lines every such state is seen, and can be judged.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_END = b"\0\0\0"


class SlowVty:
    """A folder of sockets in front of the real ones; use as a context manager.

    Commands that begin with one of the ``slow`` words are passed on ``pause`` seconds late.
    """

    slow = (b"network ", b"no network ", b"neighbor ", b"no neighbor ", b"no route-map ")

    def __init__(self, real: Path, folder: Path, pause: float) -> None:
        self._real = real
        self.folder = folder
        self._pause = pause
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Listen for every daemon."""
        self.folder.mkdir()
        for path in self._real.glob("*.vty"):
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            server.bind(str(self.folder / path.name))
            server.listen(8)
            server.settimeout(0.1)
            self._sockets.append(server)
            self._start(self._accept, server, path)
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything; whoever is connected sees the end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(10)
        for server in self._sockets:
            server.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket, path: Path) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = server.accept()
                daemon = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                daemon.connect(str(path))
                self._start(self._serve, client, daemon)

    def _serve(self, client: socket.socket, daemon: socket.socket) -> None:
        """Pass on one command after the other, each with its answer."""
        daemon.settimeout(20)
        with client, daemon, contextlib.suppress(OSError), selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            requests = b""
            while not self._stopping.is_set():
                if b"\0" not in requests:
                    if selector.select(0.1):
                        received = client.recv(65536)
                        if not received:
                            return
                        requests += received
                    continue
                command, _, requests = requests.partition(b"\0")
                if command.strip().startswith(self.slow):
                    time.sleep(self._pause)
                daemon.sendall(command + b"\0")
                client.sendall(answer_of(daemon))


def answer_of(daemon: socket.socket) -> bytes:
    """Return one answer: text, three NULs and the status."""
    answer = b""
    while len(answer) < 4 or answer[-4:-1] != _END:
        received = daemon.recv(65536)
        if not received:
            raise ConnectionResetError("the daemon closed its socket")
        answer += received
    return answer
