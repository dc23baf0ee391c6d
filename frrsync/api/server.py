"""The server behind the socket: cheroot on a unix socket, in daemon threads of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING

from cheroot import wsgi

from frrsync import log
from frrsync.api.app import Application, Sources
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["Server", "Sources"]

_log = log.get("api")

MODE = 0o660
"""Mode of the socket: the user and the group of the agent."""
LONGEST_PATH = 107
"""Bytes of a unix socket's path (``sun_path`` in unix(7) is 108 with the NUL)."""
BACKLOG = 256
"""Connections that may wait to be accepted: a unix socket refuses more at once, it does not queue them."""
THREADS = 8


class Server:
    """Serves the agent's answers on its socket until stopped."""

    def __init__(self, socket_path: Path, sources: Sources) -> None:
        self._path = socket_path
        self._server = _Cheroot(
            str(socket_path), Application(sources), numthreads=THREADS, request_queue_size=BACKLOG, timeout=10
        )
        self._ready = threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._serve, name="api", daemon=True)
        self._inode = 0

    def start(self) -> None:
        """Open the socket and serve; returns when clients can connect.

        Raises ConfigError when the socket cannot be there, or when an agent already serves on it.
        """
        _prepare(self._path)
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise ConfigError(f"agent socket {self._path}: {self._failed}")
        self._inode = self._path.stat().st_ino
        _log.info("api_started", socket=str(self._path))

    def stop(self) -> None:
        """Finish the running requests, close and remove the socket; harmless when not started."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:  # not that of a successor
                self._path.unlink()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _serve(self) -> None:
        """Bind here, not in the thread of the caller: cheroot's threads are daemons like their parent."""
        try:
            self._server.prepare()
        except OSError as error:
            self._failed = error
            return
        finally:
            self._ready.set()
        self._server.serve()


class _Cheroot(wsgi.Server):
    """Cheroot with a socket that not everybody can use, and our log."""

    def bind_unix_socket(self, bind_addr: str) -> socket.socket:
        """Bind with the right mode from the first moment: cheroot's own way opens it to everybody."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(listener.fileno(), MODE)  # Linux creates the file with the mode of the socket, unix(7)
            listener.bind(bind_addr)
            os.chmod(bind_addr, MODE)  # noqa: PTH101 - once more, whatever the umask took away
        except OSError:
            listener.close()
            raise
        self.socket = listener
        return listener

    def error_log(self, msg: object = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Write to our log."""
        error = sys.exc_info()[1] if traceback else None
        _log.log(max(level, logging.DEBUG), "http_server", message=str(msg).strip(), exc_info=error)


def _prepare(path: Path) -> None:
    """Make room for the socket: its folder exists, nobody listens there, and a left-over is gone."""
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        raise ConfigError(
            f"agent socket {path}: {length} bytes, a unix socket allows {LONGEST_PATH}; choose a shorter --run-dir"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_socket():
            _refuse_living(path)
            path.unlink()
        elif path.exists():
            raise ConfigError(f"agent socket {path}: exists and is no socket; remove it or choose another --run-dir")
    except OSError as error:
        raise ConfigError(f"agent socket {path}: {error.strerror}: {error.filename}") from error


def _refuse_living(path: Path) -> None:
    """Raise when somebody listens: two agents of one node would work against each other."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # noqa: FBT003 - the signature is socket's
        try:
            probe.connect(str(path))
        except BlockingIOError:
            pass  # its queue is full: somebody is there
        except ConnectionRefusedError:
            return
        raise ConfigError(
            f"agent socket {path}: another agent serves on it; stop it, or give this one another --run-dir"
        )
