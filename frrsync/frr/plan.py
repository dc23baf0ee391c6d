"""A plan: what is sent to which daemon, in which order. Plain values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Daemon(StrEnum):
    """The FRR daemons that take configuration of ours."""

    BGPD = "bgpd"
    BFDD = "bfdd"
    ZEBRA = "zebra"


@dataclass(frozen=True, slots=True)
class Command:
    """One configuration line.

    Attributes:
        daemon: who takes it, when it is sent through the daemons' sockets.
        context: the lines that lead to its context from ``configure terminal``, outermost first.
        line: the line itself; empty when entering the context is all (it creates a bare route-map entry).

    """

    daemon: Daemon
    context: tuple[str, ...]
    line: str


@dataclass(frozen=True, slots=True)
class Reset:
    """A session that the plan cannot leave up, and the lines that are the reason."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The commands in the order in which they must be sent; empty when there is nothing to do."""

    commands: tuple[Command, ...] = ()
    resets: tuple[Reset, ...] = ()

    def __bool__(self) -> bool:
        """Say whether anything has to be sent."""
        return bool(self.commands)
