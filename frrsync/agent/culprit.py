"""Who is to blame for what FRR refused: the objects behind the line. Templates name themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.advertisement import mistake_of
from frrsync.core.origin import origins
from frrsync.core.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from frrsync.core.decide import Decision
    from frrsync.core.model import Mistake, Snapshot
    from frrsync.errors import ApplyError

_NAMED = 3  # in the text of an error; the status has them all


def culprits(
    error: ApplyError, snapshot: Snapshot, decision: Decision, template_of: Callable[[str], str]
) -> tuple[Mistake, ...]:
    """Return a mistake for every object that the refused lines come from.

    ``template_of`` returns where an operator's template prints a line; such a line is no object's fault.
    """
    message = f"FRR refused what comes of it: {redact(str(error))}"
    found: dict[tuple[str, str], Mistake] = {}
    for path in error.paths:
        if template_of(path[-1]):
            continue
        for kind, meta in origins(path, snapshot, decision):
            found.setdefault((kind, str(meta.key)), mistake_of(kind, meta, "spec", message))
    return tuple(found.values())


def named(mistakes: tuple[Mistake, ...]) -> str:
    """Return the culprits as a beginning of an error text; empty when there are none."""
    texts = [_name(mistake) for mistake in mistakes[:_NAMED]]
    more = len(mistakes) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "") + ": " if texts else ""


def _name(mistake: Mistake) -> str:
    where = f"{mistake.file}:{mistake.line}" if mistake.line else mistake.file
    return f"{mistake.kind} {mistake.name}" + (f" ({where})" if where else "")
