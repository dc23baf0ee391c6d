"""What FRR answers to a line, and when that counts as applied. Plain values, no I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.redact import redact
from frrsync.errors import CommandRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LONGEST_LINE = 4000  # FRR 8.4 cuts at about 5,000 and runs the tail as a command of its own
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_HARMLESS = re.compile(
    r"""^(
      %\ Configuration\ applied\ with\ notes:?
    | No\ changes\ found\ to\ be\ committed!
    | %?\ ?(Warning:\ )?Echo\ mode\ works\ correctly\ for\ IPv4,\ but\ only\ works\ when.*
    | .*able\ to\ handle\ echo\ packets.*
    | Static\ Route\ to\ .*\ not\ installed\ currently.*
    | Graceful\ restart\ configuration\ changed,\ reset\ (all\ peers|this\ peer)\ to\ take\ effect
    | Warning:\ Reset\ BGP\ session\ for\ tcp-mss\ value\ to\ take\ effect
    )$""",
    re.VERBOSE,
)


class Answer(NamedTuple):
    """What FRR said to one line: 0 is done, 1 warning, 2 unknown, 3 ambiguous, 4 incomplete, 13 refused."""

    status: int
    text: str


def complaint(answer: Answer) -> str:
    """Return why a configuration line must not count as applied; empty when it does.

    FRR hides faults behind status 0 (a malformed large community, a route-map that does not exist), so
    any text that is not known as harmless is one.
    """
    said = [line.strip() for line in answer.text.splitlines() if line.strip()]
    serious = [line for line in said if not _HARMLESS.match(line)]
    if answer.status != 0:
        return " / ".join(said) or f"no reason given, status {answer.status}"
    return " / ".join(serious)


def refused(daemon: str, line: str, status: int, text: str) -> CommandRefused:
    """Return the error for a line, without the password that FRR may have repeated."""
    secret = line.rpartition(" password ")[2] if " password " in line else ""
    clean = text.replace(secret, "<hidden>") if secret else text
    return CommandRefused(daemon=daemon, line=line, status=status, text=redact(clean))


def check_line(daemon: str, line: str) -> None:
    """Refuse what FRR would take for more than one command; rendering has refused it long before."""
    if len(line) > _LONGEST_LINE:
        raise refused(daemon, line, 2, f"not sent: {len(line)} characters, at most {_LONGEST_LINE}")
    if found := _CONTROL.search(line):
        raise refused(daemon, line, 2, f"not sent: it has the control character {found[0]!r}")


_CONTEXTS = ("router bgp ", "address-family ", "route-map ", "bfd", "profile ", "peer ", "vrf ", "interface ")


def contexts_of(sent: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of the contexts that are open after these lines, where each batch begins at the top."""
    start = max((number for number, line in enumerate(sent) if line == "configure terminal"), default=-1)
    return tuple(line for line in sent[start + 1 :] if line.startswith(_CONTEXTS))


class Batch(NamedTuple):
    """Lines of one context: from ``configure terminal``, through the context, to ``end``."""

    context: tuple[str, ...]
    lines: tuple[str, ...]

    def pieces(self, size: int) -> Iterator[Batch]:
        """Yield the same in batches of at most this many lines."""
        for start in range(0, max(1, len(self.lines)), size):
            yield Batch(self.context, self.lines[start : start + size])

    def script(self) -> tuple[str, ...]:
        """Return everything that has to be sent."""
        return ("configure terminal", *self.context, *self.lines, "end")
