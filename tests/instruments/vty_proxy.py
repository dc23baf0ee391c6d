"""Vty sockets that keep a record of everything that is said to FRR, and in which things can go wrong."""

from __future__ import annotations

import contextlib
import selectors
import shutil
import socket
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from instruments.slow_vty import answer_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ASKING = ("show ", "enable", "terminal ", "do write terminal")  # the last is how vtysh asks for what runs


class Said(NamedTuple):
    """One command that reached FRR, and the monotonic time at which it came."""

    at: float
    daemon: str
    command: str

    @property
    def changes(self) -> bool:
        """Say whether it may change anything."""
        return not self.command.startswith(_ASKING)


class VtyProxy:
    """A folder of sockets in front of those of FRR; use as a context manager.

    A daemon that is restarted behind it is not seen as a new process by who looks at the other end of a socket,
    only as a connection that ends.

    Attributes:
        folder: what a program takes for FRR's folder.
        said: every command so far.
        connections: when somebody connected, and to which daemon.
        before: called with every command before it is passed on; what it raises ends the connection.

    """

    def __init__(self, real: Path, folder: Path) -> None:
        self._real = real
        self.folder = folder
        self.said: list[Said] = []
        self.connections: list[tuple[float, str]] = []
        self.before: Callable[[Said], None] = lambda _said: None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._servers: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        """Listen for every daemon."""
        self.folder.mkdir()
        self.folder.chmod(0o755)
        for path in self._real.glob("*.vty"):
            self.listen(path.stem)
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything; whoever is connected sees the end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(10)
        for server in self._servers.values():
            server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def changes(self) -> list[Said]:
        """Return every command that may change something."""
        return [said for said in self.said if said.changes]

    def path(self, daemon: str) -> Path:
        """Return the socket of a daemon."""
        return self.folder / f"{daemon}.vty"

    def listen(self, daemon: str) -> None:
        """Make the socket of a daemon, in place of one that was there."""
        self.path(daemon).unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(self.path(daemon)))
        self.path(daemon).chmod(0o777)
        server.listen(8)
        server.settimeout(0.05)
        self._servers[daemon] = server
        self._start(self._accept, server, daemon)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket, name: str) -> None:
        while not self._stopping.is_set() and self._servers[name] is server:
            with contextlib.suppress(TimeoutError):
                client, _ = server.accept()
                self.connections.append((time.monotonic(), name))
                daemon = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    daemon.connect(str(self._real / f"{name}.vty"))
                except OSError:
                    daemon.close()
                    client.close()
                    continue
                self._start(self._serve, client, daemon, name)

    def _serve(self, client: socket.socket, daemon: socket.socket, name: str) -> None:
        """Pass on one command after the other, each with its answer."""
        daemon.settimeout(20)
        with client, daemon, contextlib.suppress(OSError), selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, "client")
            selector.register(daemon, selectors.EVENT_READ, "daemon")
            requests = b""
            while not self._stopping.is_set():
                if b"\0" not in requests:
                    ready = {key.data for key, _ in selector.select(0.05)}
                    if "daemon" in ready:  # nothing was asked: it ended
                        return
                    if "client" in ready:
                        received = client.recv(65536)
                        if not received:
                            return
                        requests += received
                    continue
                command, _, requests = requests.partition(b"\0")
                said = Said(time.monotonic(), name, command.decode())
                self.said.append(said)
                self.before(said)
                daemon.sendall(command + b"\0")
                client.sendall(answer_of(daemon))
