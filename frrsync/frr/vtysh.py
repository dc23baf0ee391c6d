"""vtysh: the way to speak to a running FRR that is always possible."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from itertools import groupby
from typing import TYPE_CHECKING, NoReturn

from frrsync.core.redact import redact
from frrsync.errors import FrrUnavailable
from frrsync.frr.answer import Answer, Batch, check_line, complaint, contexts_of, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_VTYSH_LINES = 400  # of the longest kind they still fit into the arguments of one process
_PROMPT = re.compile(r"\S+(\([\w-]+\))?[#>] ")
_NO_DAEMON = re.compile(r"failed to connect to any daemons")
_NOT_RUNNING = re.compile(r"\bis not running\b|Warning: connecting to \w+\.\.\.failed")


class Vtysh:
    """FRR's own command line, run once per call: slower by tens of milliseconds, but always possible.

    Unless one daemon is named, it talks to all of them before it does anything, and one that hangs stops
    everything. Named or not, ``daemon`` is what vtysh takes as ``-d``.
    """

    def __init__(self, program: Path, vty_dir: Path, frr_namespace: str = "", timeout: float = 30.0) -> None:
        self.program = program
        self.timeout = timeout
        namespace = ["-N", frr_namespace] if frr_namespace else []
        self._command = [str(program), "--vty_socket", str(vty_dir), *namespace]

    def show(self, command: str, daemon: str = "", timeout: float | None = None) -> str:
        """Return what a show command prints, of one daemon or merged from all that know it."""
        check_line("vtysh", command)
        status, output = self._run(daemon, ["-c", command], timeout=timeout)
        if status != 0:
            raise refused("vtysh", command, status, output.strip())
        return output

    def configure(self, batches: Iterable[Batch], daemon: str = "") -> None:
        """Send batches in order, many in one run; stop at the first line that fails.

        vtysh itself stops at a status other than 0 only; lines behind one that fails with status 0 are
        applied up to the end of that run. A line with a password goes in by itself and by standard input,
        because arguments of a process can be read by everybody.
        """
        run: list[str] = []
        for piece in _pieces(batches):
            script = piece.script()
            for line in script:
                check_line("vtysh", line)
            if any(map(_is_secret, piece.lines)):
                self._configure_by_arguments(daemon, run)
                self._configure_by_input(daemon, script)
                run = []
                continue
            if len(run) + len(script) > _VTYSH_LINES:
                self._configure_by_arguments(daemon, run)
                run = []
            run.extend(script)
        self._configure_by_arguments(daemon, run)

    def _configure_by_arguments(self, daemon: str, lines: Sequence[str]) -> None:
        if not lines:
            return
        status, output = self._run(daemon, ["-E", *(part for line in lines for part in ("-c", line))])
        answers = _answers(lines, output)
        for number, (line, text) in enumerate(answers):
            if reason := complaint(Answer(0, text)):
                self._refuse(line, status, reason, contexts_of(lines[:number]))
        if status != 0:
            last = max(len(answers) - 1, 0)
            self._refuse(lines[last], status, f"vtysh ended with {status}", contexts_of(lines[:last]))

    def _configure_by_input(self, daemon: str, lines: Sequence[str]) -> None:
        # readline would take ? for a call for help; control-V in front makes it an ordinary character
        typed = "".join(line.replace("?", "\x16?") + "\n" for line in lines)
        status, output = self._run(daemon, [], typed)
        _, _, said = output.partition(f"# {lines[0]}\n")
        for number, (line, text) in enumerate(_answers(lines[1:], said), 1):
            if reason := complaint(Answer(0, text)):
                self._refuse(line, status, reason, contexts_of(lines[:number]))
        if status != 0 or not said:
            self._refuse(lines[0], status, f"vtysh ended with {status}: {output.strip()[-200:]}")

    def _refuse(self, line: str, status: int, reason: str, context: tuple[str, ...] = ()) -> NoReturn:
        if _NOT_RUNNING.search(reason):
            raise FrrUnavailable(redact(f"vtysh found a daemon missing: {reason}"))
        error = refused("vtysh", line, status, reason)
        error.context = context
        raise error

    def _run(
        self, daemon: str, arguments: Sequence[str], typed: str = "", timeout: float | None = None
    ) -> tuple[int, str]:
        """Run vtysh and return its exit code and all that it printed."""
        seconds = timeout or self.timeout
        named = ["-d", daemon] if daemon else []
        environment = os.environ | {"VTYSH_HISTFILE": os.devnull, "TERM": "dumb", "COLUMNS": "9999"}
        try:
            process = subprocess.Popen(
                [*self._command, *named, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                encoding="utf-8",
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise FrrUnavailable(
                f"cannot run vtysh at {self.program}: {error.strerror or error}; name it with --vtysh"
            ) from error
        try:
            output, _ = process.communicate(typed, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)  # a wrapper's child would keep the pipe open
            process.communicate()
            raise FrrUnavailable(
                f"vtysh did not end within {seconds:g} s: {daemon or 'some daemon of this FRR'} hangs"
            ) from error
        if _NO_DAEMON.search(output):
            raise FrrUnavailable(
                f"vtysh reached no {daemon or 'daemon'}: is FRR running, is --vty-dir the folder of its sockets, and "
                f"is user id {os.geteuid()} root or a member of the group frrvty?"
            )
        return process.returncode, output


def _is_secret(line: str) -> bool:
    return " password " in line


def _pieces(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Cut batches to the size of one run, and lines with a password into batches of their own."""
    for batch in batches:
        if not batch.lines:
            yield batch
        for secret, lines in groupby(batch.lines, key=_is_secret):
            size = 1 if secret else _VTYSH_LINES - len(batch.context) - 2
            yield from Batch(batch.context, tuple(lines)).pieces(size)


def _answers(lines: Sequence[str], output: str) -> list[tuple[str, str]]:
    """Pair each line that vtysh echoed behind its prompt with the text that followed it."""
    found: list[tuple[str, list[str]]] = []
    for printed in output.splitlines():
        following = lines[len(found)] if len(found) < len(lines) else None
        if following is not None and printed.endswith(f"# {following}"):
            found.append((following, []))
        elif found and not _PROMPT.match(printed):
            found[-1][1].append(printed)
    return [(line, "\n".join(said)) for line, said in found]
