"""The vty socket of a daemon: the quick way to speak to a running FRR.

The protocol (the same on 8.4 and 10.3): a request is a line and a NUL; the answer is text, three
NULs and one status byte. Status 0 does not mean that all is well, see ``complaint``. A connection whose
answer did not come in time is closed, because a late answer would be taken for the next command's.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, NoReturn, Self

from frrsync.errors import FrrUnavailable
from frrsync.frr.answer import Answer, check_line, complaint, refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from frrsync.errors import CommandRefused

PIPELINE_WINDOW = 64
"""Lines on their way before an answer is read; the largest that still gained anything."""

_SUN_PATH = 107
_END_OF_TEXT = b"\0\0\0"
_RECEIVE = 1 << 18
_UNKNOWN_PID = 0  # what the kernel reports for a process of another pid namespace, as of a container


class VtySocket:
    """A connection to one daemon, made when first needed and kept until something goes wrong.

    Attributes:
        processes: how many different processes have been met at this socket; more means a restart.
        timeout: seconds to wait for each answer.

    """

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self.daemon = path.stem
        self.timeout = timeout
        self.processes = 0
        self._socket: socket.socket | None = None
        self._enabled = False
        self._pid = _UNKNOWN_PID
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        """Return the connection, to be closed afterwards."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def connect(self) -> None:
        """Connect if that is not the case already."""
        if self._socket is not None:
            return
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout)
        try:
            _connect(connection, self.path)
        except OSError as error:
            connection.close()
            raise FrrUnavailable(self._why_not(error)) from error
        self._socket = connection
        self._enabled = False
        self._buffer.clear()
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid = struct.unpack("3i", credentials)[0]
        if pid == _UNKNOWN_PID or pid != self._pid:
            self.processes += 1
        self._pid = pid

    def is_alive(self) -> bool:
        """Say whether the daemon holds the connection, connecting if necessary; sends nothing.

        A daemon that hangs holds it too: only an answer tells.
        """
        if self._socket is not None and not self._is_quiet(self._socket):
            self.close()
        try:
            self.connect()
        except FrrUnavailable:
            return False
        return True

    def send(self, line: str) -> Answer:
        """Send one line and return its answer, whatever its status."""
        check_line(self.daemon, line)
        self._enable()
        self._write(line)
        return self._answer()

    def show(self, command: str) -> str:
        """Return what a show command prints; a status other than 0 is an error."""
        status, text = self.send(command)
        if status != 0:
            raise refused(self.daemon, command, status, text.strip())
        return text

    def configure(self, lines: Iterable[str], *, window: int = 1) -> None:
        """Send configuration lines; stop at the first that fails, after the answers still to come.

        Up to ``window`` - 1 lines behind a failed one are applied: more than 1 is for lines only of which
        none depends on another.
        """
        self._enable()
        remaining = iter(lines)
        waiting: deque[str] = deque()
        fault: CommandRefused | None = None
        while True:
            while fault is None and len(waiting) < window and (line := next(remaining, None)) is not None:
                check_line(self.daemon, line)
                self._write(line)
                waiting.append(line)
            if not waiting:
                break
            line, answer = waiting.popleft(), self._answer()
            if fault is None and (reason := complaint(answer)):
                fault = refused(self.daemon, line, answer.status, reason)
        if fault is not None:
            raise fault

    def close(self) -> None:
        """Forget the connection; the next call makes a new one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _enable(self) -> None:
        self.connect()
        if not self._enabled:
            self._enabled = True
            self._write("enable")
            self._answer()

    def _write(self, line: str) -> None:
        if self._socket is None:
            raise FrrUnavailable(f"{self.daemon} is not connected")
        try:
            self._socket.sendall(line.encode() + b"\0")
        except OSError as error:
            self._broken(error)

    def _answer(self) -> Answer:
        if self._socket is None:
            raise FrrUnavailable(f"{self.daemon} is not connected")
        searched = 0
        while True:
            end = self._buffer.find(_END_OF_TEXT, searched)
            if 0 <= end < len(self._buffer) - len(_END_OF_TEXT):
                break
            searched = max(0, len(self._buffer) - len(_END_OF_TEXT))
            try:
                data = self._socket.recv(_RECEIVE)
            except OSError as error:
                self._broken(error)
            if not data:
                self._broken(ConnectionResetError())
            self._buffer += data
        answer = Answer(self._buffer[end + len(_END_OF_TEXT)], self._buffer[:end].decode("utf-8", "replace"))
        del self._buffer[: end + len(_END_OF_TEXT) + 1]
        return answer

    def _is_quiet(self, connection: socket.socket) -> bool:
        """Say whether nothing came unasked: neither the end of the stream nor an answer to nobody."""
        poll = select.poll()  # not recv: with a timeout set, Python waits for it even with MSG_DONTWAIT
        poll.register(connection, select.POLLIN)
        return not poll.poll(0)

    def _broken(self, error: OSError) -> NoReturn:
        self.close()
        if isinstance(error, TimeoutError):
            raise FrrUnavailable(
                f"{self.daemon} did not answer within {self.timeout:g} s at {self.path}: it hangs or is overloaded"
            ) from error
        raise FrrUnavailable(f"{self.daemon} closed the connection: it was stopped or restarted") from error

    def _why_not(self, error: OSError) -> str:
        if isinstance(error, PermissionError):
            return (
                f"no permission for {self.path}: found user id {os.geteuid()} outside of FRR's group, "
                "allowed are root and members of the group frrvty"
            )
        if isinstance(error, FileNotFoundError):
            return (
                f"{self.daemon} has no socket at {self.path}: is FRR running, and is --vty-dir the folder "
                "of its sockets?"
            )
        if isinstance(error, ConnectionRefusedError):
            return f"{self.daemon} is not running: nobody listens at {self.path}"
        if isinstance(error, (TimeoutError, BlockingIOError)):  # the latter: its queue is full
            return f"{self.daemon} did not accept a connection within {self.timeout:g} s: it hangs"
        return f"cannot connect to {self.daemon} at {self.path}: {error.strerror or error}"


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect to a path of any length: a folder's descriptor stands for one beyond what unix(7) takes."""
    if len(os.fsencode(path)) <= _SUN_PATH:
        connection.connect(str(path))
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
