"""The running FRR behind one face, whichever way it is spoken to.

``SocketFrr`` keeps a connection to each daemon and needs 0.2 ms a line; ``VtyshFrr`` runs vtysh. Both keep
the connections for noticing a restart: a daemon that ends closes them at once. One thread uses ``read``,
``send`` and ``alive``; ``show`` may be called by any thread, it shares nothing.

bgpd is required. bfdd and zebra are not: what they run is left out while they do not answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from frrsync.core.show_command import show_command
from frrsync.errors import CommandRefused, ConfigError, FrrUnavailable, VtyError
from frrsync.frr import scope, shared
from frrsync.frr.answer import Batch
from frrsync.frr.dialect import dialect_of
from frrsync.frr.plan import Daemon
from frrsync.frr.tree import parse
from frrsync.frr.vty import PIPELINE_WINDOW, VtySocket
from frrsync.frr.vtysh import Vtysh

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from frrsync.frr.dialect import Dialect
    from frrsync.frr.plan import Command
    from frrsync.frr.tree import Tree
    from frrsync.settings import Settings

TIMEOUT_SECONDS = 30.0
"""bgpd answers from its main loop: while it walks a large table nobody gets an answer."""

OTHERS_TIMEOUT_SECONDS = 3.0
"""bfdd and zebra answer within milliseconds, and a hung one must not hold up what bgpd does."""
SILENT_TIMEOUT_SECONDS = 0.2
"""For a daemon that gave no answer the last time: it is asked again with every read."""

_VTYSH_SECONDS = 1.0  # what vtysh may need to start on a busy machine
_RUNNING_CONFIG = "show running-config"
_INDEPENDENT = ("network ", "no network ")


class Frr(Protocol):
    """A running FRR.

    Every call raises FrrUnavailable when bgpd is not there, not permitted, hung or too old.
    """

    @property
    def dialect(self) -> Dialect:
        """How this FRR writes its configuration."""

    @property
    def generation(self) -> int:
        """A number that grows whenever a daemon was found restarted."""

    @property
    def reachable(self) -> Collection[Daemon]:
        """Return the daemons whose lines the last ``read`` returned; nothing is known about the others."""

    @property
    def whole(self) -> Tree:
        """Return all that bgpd ran at the last ``read``, the operator's too; empty in an FRR of our own."""

    def read(self) -> Tree:
        """Return what runs of frrsync's, in the form that compares; the tree must not be changed."""

    def send(self, commands: Sequence[Command]) -> None:
        """Send configuration lines in order; CommandRefused at the first that FRR does not take."""

    def show(self, command: str, daemon: Daemon | None = None) -> str:
        """Return what one show command prints, from one daemon or, by vtysh, from all that know it."""

    def alive(self) -> Mapping[Daemon, bool]:
        """Say which daemons run; costs microseconds and waits for nobody."""

    def close(self) -> None:
        """Close the connections."""


class Daemons:
    """The sockets of the daemons of one FRR."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self._folder = folder
        self._timeout = timeout
        self._sockets = {daemon: VtySocket(folder / f"{daemon}.vty", timeout) for daemon in Daemon}
        self._dialect: tuple[int, Dialect] | None = None

    def __getitem__(self, daemon: Daemon) -> VtySocket:
        """Return the kept connection to a daemon."""
        return self._sockets[daemon]

    @property
    def generation(self) -> int:
        """Return the number of processes that were met behind the sockets."""
        return sum(one.processes for one in self._sockets.values())

    @property
    def dialect(self) -> Dialect:
        """Return the dialect of bgpd, asked again after a restart: that may have been an upgrade."""
        bgpd = self._sockets[Daemon.BGPD]
        bgpd.connect()
        if self._dialect is None or self._dialect[0] != bgpd.processes:
            found = dialect_of(bgpd.show("show version"))
            self._dialect = (bgpd.processes, found)
        return self._dialect[1]

    def alive(self) -> dict[Daemon, bool]:
        """Say which daemons hold their connection."""
        return {daemon: one.is_alive() for daemon, one in self._sockets.items()}

    def show(self, command: str, daemon: Daemon, timeout: float | None = None) -> str:
        """Ask over a connection of its own, so that any thread may, and a long answer delays nobody."""
        with VtySocket(self._folder / f"{daemon}.vty", timeout or self._timeout) as one:
            return one.show(command)

    def close(self) -> None:
        """Close every connection."""
        for one in self._sockets.values():
            one.close()


@dataclass(slots=True)
class _Parsed:
    """The last text of a running configuration and what it means: an equal text needs no parsing."""

    digest: bytes = b""
    tree: Tree = field(default_factory=dict)
    whole: Tree = field(default_factory=dict)
    is_shared: bool = False

    def read(self, text: str, dialect: Dialect, daemon: Daemon) -> Tree:
        """Return frrsync's part of a daemon's text."""
        digest = blake2b(text.encode(), digest_size=16).digest()
        if digest != self.digest:
            if self.is_shared:
                self.whole = parse(text)
                self.tree = shared.ours(self.whole, dialect, only=daemon)
            else:
                self.tree = scope.managed(parse(text), dialect, only=daemon)
            self.digest = digest
        return self.tree


class _RunningFrr(ABC):
    """What both ways share: one configuration, read daemon by daemon.

    vtysh's merged view would do harm: zebra and mgmtd print copies of route-maps that bgpd, restarted
    and empty, does not have any more.
    """

    def __init__(
        self, folder: Path, vtysh: Vtysh, *, timeout: float = TIMEOUT_SECONDS, is_shared: bool = False
    ) -> None:
        self._daemons = Daemons(folder, timeout)
        self._vtysh = vtysh
        self._timeout = timeout
        self._parsed = {daemon: _Parsed(is_shared=is_shared) for daemon in Daemon}
        self._silent: frozenset[Daemon] = frozenset()
        self._reachable: frozenset[Daemon] = frozenset()

    @property
    def dialect(self) -> Dialect:
        """How this FRR writes its configuration."""
        return self._daemons.dialect

    @property
    def generation(self) -> int:
        """A number that grows whenever a daemon was found restarted."""
        return self._daemons.generation

    @property
    def reachable(self) -> Collection[Daemon]:
        """Return the daemons whose lines the last ``read`` returned; nothing is known about the others."""
        return self._reachable

    @property
    def whole(self) -> Tree:
        """Return all that bgpd ran at the last ``read``, the operator's too; empty in an FRR of our own."""
        return self._parsed[Daemon.BGPD].whole

    def read(self) -> Tree:
        """Return what runs of frrsync's, in the form that compares; the tree must not be changed."""
        alive = self._daemons.alive()
        dialect = self.dialect
        texts = {Daemon.BGPD: self._running_config(Daemon.BGPD, self._timeout)}
        silent = set()
        for daemon in scope.daemons(dialect)[1:]:
            limit = SILENT_TIMEOUT_SECONDS if daemon in self._silent else OTHERS_TIMEOUT_SECONDS
            try:
                if alive[daemon]:
                    texts[daemon] = self._running_config(daemon, min(limit, self._timeout))
            except FrrUnavailable:
                silent.add(daemon)
        self._silent, self._reachable = frozenset(silent), frozenset(texts)
        found: Tree = {}
        for daemon, text in texts.items():
            found |= self._parsed[daemon].read(text, dialect, daemon)
        return found

    def alive(self) -> Mapping[Daemon, bool]:
        """Say which daemons run; costs microseconds and waits for nobody."""
        return self._daemons.alive()

    def close(self) -> None:
        """Close the connections."""
        self._daemons.close()

    @abstractmethod
    def _running_config(self, daemon: Daemon, timeout: float) -> str:
        """Return the running configuration of one daemon; FrrUnavailable after so many seconds."""


class SocketFrr(_RunningFrr):
    """FRR through the vty sockets of its daemons; vtysh only for commands that name no daemon."""

    def send(self, commands: Sequence[Command]) -> None:
        """Send lines in order, those of one context together."""
        for daemon, batch in _batches(commands):
            one = self._daemons[daemon]
            try:
                one.configure(["configure terminal", *batch.context])
                for independent, lines in groupby(batch.lines, key=lambda line: line.startswith(_INDEPENDENT)):
                    one.configure(lines, window=PIPELINE_WINDOW if independent else 1)
            except CommandRefused as error:
                error.context = batch.context
                one.send("end")
                raise
            one.send("end")

    def show(self, command: str, daemon: Daemon | None = None) -> str:
        """Return what one show command prints."""
        asked = _require_show(command)
        if daemon is None:
            return self._vtysh.show(asked)
        return self._daemons.show(asked, daemon)

    def _running_config(self, daemon: Daemon, timeout: float) -> str:
        if daemon is Daemon.BGPD:
            return self._daemons[daemon].show(_RUNNING_CONFIG)
        # not over the kept connection: one whose answer is late must be closed, and that looks like a restart
        return self._daemons.show(_RUNNING_CONFIG, daemon, timeout)


class VtyshFrr(_RunningFrr):
    """FRR through vtysh; the sockets only tell which daemons run, and which FRR it is."""

    def send(self, commands: Sequence[Command]) -> None:
        """Send lines in order, each to the daemon that runs it."""
        for daemon, group in groupby(_batches(commands), key=itemgetter(0)):
            self._vtysh.configure((batch for _, batch in group), daemon)

    def show(self, command: str, daemon: Daemon | None = None) -> str:
        """Return what one show command prints."""
        return self._vtysh.show(_require_show(command), daemon or "")

    def _running_config(self, daemon: Daemon, timeout: float) -> str:
        # one run for each: without a name vtysh asks all daemons, and one that hangs stops it
        text = self._vtysh.show(_RUNNING_CONFIG, daemon, max(timeout, _VTYSH_SECONDS))
        if "\nfrr version " not in text:  # vtysh prints an empty frame for who does not answer
            raise FrrUnavailable(f"{daemon} is not running: vtysh gave no running configuration of it")
        return text


def open_frr(settings: Settings, *, timeout: float = TIMEOUT_SECONDS) -> Frr:
    """Return the FRR that the settings name; nothing is connected before it is used."""
    vtysh = Vtysh(settings.vtysh, settings.vty_dir, settings.frr_namespace, timeout)
    folder = settings.vty_dir / settings.frr_namespace
    is_shared = settings.frr_mode == "shared"
    if settings.apply_with == "vtysh":
        return VtyshFrr(folder, vtysh, timeout=timeout, is_shared=is_shared)
    return SocketFrr(folder, vtysh, timeout=timeout, is_shared=is_shared)


def _batches(commands: Sequence[Command]) -> Iterator[tuple[Daemon, Batch]]:
    """Group neighboring lines of one daemon and context; an empty line only enters the context."""
    for (daemon, context), group in groupby(commands, key=lambda command: (command.daemon, command.context)):
        yield daemon, Batch(context, tuple(command.line for command in group if command.line))


def _require_show(command: str) -> str:
    try:
        return show_command(command)
    except ConfigError as error:
        raise VtyError(f"not a single show command: {error}") from error
