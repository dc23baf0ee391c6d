"""Processes of a lab, found and ended so that no foreign process is ever hit.

Membership in one of the lab's network namespaces is the proof for everything that runs inside a
device. What runs outside is recorded with its start time, because a number alone may belong to
somebody else by the time it is used.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from frrsync.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

NAMESPACES = Path("/run/netns")
PROC = Path("/proc")

# The shell writes its own line of /proc before it becomes the program: there is no moment in which
# the program runs without a record, even if whoever started it is killed. It runs in the background
# of a shell that ends, so that init collects it and not the program that built the lab.
_RECORD_AND_RUN = '(read -r stat </proc/self/stat && printf "%s\\n" "$stat" >"$0" && exec "$@") &'


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 20.0, pause: float = 0.02) -> None:
    """Return when the condition holds; LabError names what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def inside(namespace: str, command: Sequence[str]) -> list[str]:
    """Return the command that runs another one in a network namespace."""
    return ["nsenter", f"--net={NAMESPACES / namespace}", *command]


def start_recorded(command: Sequence[str], *, record: Path, output: Path, env: Mapping[str, str] | None = None) -> None:
    """Start a program in the background, with its number and start time in a file."""
    record.unlink(missing_ok=True)
    with output.open("ab") as stream:
        subprocess.run(
            ["/bin/sh", "-c", _RECORD_AND_RUN, str(record), *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            cwd="/",
            env=None if env is None else os.environ | env,
            check=True,
        )
    wait_until(lambda: record.exists() and record.stat().st_size > 0, what=f"start of {command[0]}")


def recorded(record: Path) -> int | None:
    """Return the number of the recorded process while it lives."""
    try:
        wanted = _number_and_start(record.read_text("utf-8", "replace"))
    except FileNotFoundError:
        return None
    if wanted is None or _number_and_start(_stat(wanted[0])) != wanted or not is_alive(wanted[0]):
        return None
    return wanted[0]


def _number_and_start(stat: str) -> tuple[int, str] | None:
    """Return process number and start time (field 22, proc(5)); a name may hold spaces and brackets."""
    rest = stat.rpartition(")")[2].split()
    return (int(stat.split(" ", 1)[0]), rest[19]) if len(rest) > 19 else None


def _stat(pid: int) -> str:
    try:
        return (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and only not yet collected does not."""
    rest = _stat(pid).rpartition(")")[2].split()
    return bool(rest) and rest[0] not in "ZX"


def namespace_identity(namespace: str) -> tuple[int, int] | None:
    """Return what tells one namespace from another; None when it is not there or is the host's own."""
    try:
        found = (NAMESPACES / namespace).stat()
    except FileNotFoundError:
        return None
    own = (PROC / "self/ns/net").stat()
    identity = (found.st_dev, found.st_ino)
    return None if identity == (own.st_dev, own.st_ino) else identity


def is_inside(pid: int, namespace: str) -> bool:
    """Tell whether a process lives in the namespace."""
    identity = namespace_identity(namespace)
    return identity is not None and _identity_of(pid) == identity


def _identity_of(pid: int | str) -> tuple[int, int] | None:
    try:
        found = (PROC / str(pid) / "ns/net").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def members(namespaces: Iterable[str]) -> list[int]:
    """Return the processes that live in any of the namespaces."""
    identities = {namespace_identity(name) for name in namespaces} - {None}
    if not identities:
        return []
    pids = (entry.name for entry in PROC.iterdir() if entry.name.isdigit())
    return [int(pid) for pid in pids if _identity_of(pid) in identities and is_alive(int(pid))]


def end(pid: int, signum: signal.Signals = signal.SIGTERM, *, seconds: float = 5.0) -> None:
    """End a process that the caller has just identified; the last word is SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)
        if signum != signal.SIGKILL:
            os.kill(pid, signal.SIGCONT)  # a stopped daemon never sees SIGTERM
    try:
        wait_until(lambda: _is_gone(pid), what=f"end of process {pid}", seconds=seconds, pause=0.005)
    except LabError:
        if signum == signal.SIGKILL:
            raise
        end(pid, signal.SIGKILL, seconds=seconds)


def _is_gone(pid: int) -> bool:
    """Collect the process if it is our child, then tell whether it has ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return not is_alive(pid)


def end_members(namespaces: Iterable[str]) -> None:
    """End everything that lives in the namespaces, at once and for good.

    Twice around, because a process may have started another one between the look and the signal.
    """
    names = tuple(namespaces)

    def none_left() -> bool:
        found = members(names)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            _is_gone(pid)
        return not found

    wait_until(none_left, what=f"end of the processes in {', '.join(names)}", seconds=10, pause=0.01)
