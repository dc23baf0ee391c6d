"""What FRR prints differently than the operator's templates, remembered across changes and restarts.

A line is learned once, after it was sent. Sending it again could cost a session (``ebgp-multihop`` on FRR
8.4), so what was learned is kept in a file beside the agent's socket, for as long as a template prints the line
and FRR is of the same version.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.core.model import Mistake
from frrsync.core.redact import redact
from frrsync.frr.conf_file import write_conf
from frrsync.frr.render import RenderedConfig
from frrsync.frr.reprint import Reprint, applied, is_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from frrsync.frr.tree import Path as Lines

MOST_TOLD = 20
"""Most lines named in status and log; who writes more of them will notice."""


class Reprinting:
    """Keeps what was learned about one FRR; belongs to the reconcile thread."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._log = log.get("agent.templates")
        self._version: tuple[int, int] | None = None
        self._known: tuple[Reprint, ...] = ()
        self._mapped: tuple[RenderedConfig, tuple[Reprint, ...], RenderedConfig] | None = None
        self._told: frozenset[Lines] = frozenset()

    def use(self, version: tuple[int, int]) -> None:
        """Forget what was learned about an FRR of another version."""
        if version != self._version:
            self._version, self._known = version, self._load(version)

    def apply(self, rendered: RenderedConfig) -> RenderedConfig:
        """Return the configuration in FRR's form; the same object for the same one."""
        if not self._known:
            return rendered
        if self._mapped is None or self._mapped[0] is not rendered or self._mapped[1] is not self._known:
            tree = applied(rendered.tree, self._known)
            self._mapped = (rendered, self._known, RenderedConfig(text=rendered.text, tree=tree))
        return self._mapped[2]

    def used(self, rendered: RenderedConfig) -> tuple[Reprint, ...]:
        """Return what was learned about lines of this configuration."""
        return tuple(one for one in self._known if is_in(rendered.tree, one.wanted))

    def add(self, found: Collection[Reprint], rendered: RenderedConfig) -> None:
        """Remember, also over a restart of the agent; what this configuration does not print is dropped."""
        new = {one.wanted for one in found}
        kept = [one for one in self.used(rendered) if one.wanted not in new]
        self._known = (*kept, *found)
        self._save()

    def forget_unprinted(self) -> None:
        """Have lines that FRR does not print sent once more, to an FRR that may be a new process."""
        if any(not one.runs for one in self._known):
            self._known = tuple(one for one in self._known if one.runs)

    def mistakes(
        self, used: tuple[Reprint, ...], origins: Mapping[Lines, str], hide: Callable[[str], str]
    ) -> tuple[Mistake, ...]:
        """Return what to correct in the templates, one for each of their lines, and log what is new.

        ``hide`` takes the passwords of the configuration out of a text: a template may print them anywhere.
        """
        version = ".".join(map(str, self._version or ()))
        found: dict[str, Mistake] = {}
        for one in used:
            place = origins.get(one.wanted, "")
            if place in found or len(found) == MOST_TOLD:
                continue
            message = f"FRR {version} {hide(_form(one))}; nothing is sent for this difference"
            found[place] = _mistake(place, message)
            if one.wanted not in self._told:
                self._log.warning("frr_prints_differently", template=place, message=message)
        self._told |= {one.wanted for one in used}
        return tuple(found.values())

    def _load(self, version: tuple[int, int]) -> tuple[Reprint, ...]:
        """Read what an agent before us learned; what cannot be read is learned again."""
        try:
            document = json.loads(self._file.read_text("utf-8")) if self._file is not None else {}
            if document.get("frr") != list(version):
                return ()
            return tuple(
                Reprint(wanted=tuple(entry["wanted"]), runs=tuple(map(tuple, entry["runs"])))
                for entry in document["lines"]
            )
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._log.warning("cannot_read_file", file=str(self._file), error=str(error))
            return ()

    def _save(self) -> None:
        if self._file is None:
            return
        entries = [{"wanted": one.wanted, "runs": one.runs} for one in self._known if not _has_password(one)]
        try:
            write_conf(self._file, json.dumps({"frr": self._version, "lines": entries}))
        except OSError as error:
            self._log.warning("cannot_write_file", file=str(self._file), error=str(error))


def not_sent(line: str, place: str, hide: Callable[[str], str]) -> Mistake:
    """Return the mistake for a line of the top level that is only in the file that FRR starts with."""
    message = f"{hide(line)!r} is not sent to FRR, it is only in the file that FRR starts with (--frr-conf)"
    return _mistake(place, message)


def _mistake(place: str, message: str) -> Mistake:
    """Return a mistake of a template at ``FILE:LINE``, or somewhere in a folder."""
    file, _, line = place.rpartition(":")
    is_exact = line.isdigit()
    return Mistake(
        file=file if is_exact else place, line=int(line) if is_exact else 0, kind="Template", message=message
    )


def _form(one: Reprint) -> str:
    wanted = repr(redact(one.wanted[-1]))
    if not one.runs:
        return f"takes {wanted} and prints nothing for it: it is a default, or has no effect"
    runs = " and ".join(repr(redact(path[-1])) for path in one.runs)
    return f"prints {runs} for {wanted}: write it in FRR's form"


def _has_password(one: Reprint) -> bool:
    lines = [line for path in (one.wanted, *one.runs) for line in path]
    return any(redact(line) != line for line in lines)
