"""What one file says about objects: its sound texts, and what counts for those that it no longer says soundly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.model import Mistake
from frrsync.directory.reader import place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from frrsync.core.manifests import ParsedObject
    from frrsync.core.model import ModelObject, ObjectKey
    from frrsync.directory.reader import FileContent


class Claim(NamedTuple):
    """One text for an object.

    Attributes:
        is_held: it is the last good state of a text now broken; a sound text elsewhere counts before it.
        is_stand_in: there never was a good state, and the object only says that.

    """

    object: ModelObject
    line: int
    is_held: bool = False
    is_stand_in: bool = False


@dataclass(slots=True, kw_only=True)
class FileState:
    """What is remembered of one file."""

    content: FileContent
    claims: dict[ObjectKey, Claim]
    mistakes: tuple[Mistake, ...]
    ignored_kinds: frozenset[str]


def collect(content: FileContent, before: Mapping[ObjectKey, Claim]) -> FileState:
    """Return what a file says, with the last good state of what it no longer says soundly."""
    claims: dict[ObjectKey, Claim] = {}
    twice: list[tuple[ObjectKey, Claim]] = []
    items = [entry for part in content.parts.values() for entry in part.items]
    for line, item in items:
        if item.key is None or item.object is None:
            continue
        claim, other = Claim(item.object, line), claims.get(item.key)
        if other is not None:
            known = before.get(item.key)
            is_known = known is not None and known.object == claim.object != other.object
            twice.append((item.key, other if is_known else claim))
            claim = claim if is_known else other
        claims[item.key] = claim
    mistakes = [content.problem] if content.problem else []
    mistakes += [mistake for _, item in items for mistake in item.mistakes]
    mistakes += [duplicate(key, claim, claims[key].object) for key, claim in twice]
    return FileState(
        content=content,
        claims=claims | _held(content, items, before, claims),
        mistakes=tuple(mistakes),
        ignored_kinds=frozenset(item.ignored_kind for _, item in items if item.ignored_kind),
    )


def _held(
    content: FileContent,
    items: Iterable[tuple[int, ParsedObject]],
    before: Mapping[ObjectKey, Claim],
    sound: Collection[ObjectKey],
) -> dict[ObjectKey, Claim]:
    """Return what counts for objects that have no sound text in the file although nobody took them out."""
    found: dict[ObjectKey, Claim] = {}
    if content.is_broken:
        found = {key: claim._replace(is_held=True) for key, claim in before.items() if key not in sound}
    for line, item in items:
        if item.key is None or not item.mistakes or item.key in sound:
            continue
        known = before.get(item.key)
        if known is not None and not known.is_stand_in:
            # Where its fields stood before means nothing any more.
            place(known.object.meta.origin, item.mistakes[0].file, line, {})
            found[item.key] = known._replace(line=line, is_held=True)
        elif item.stand_in is not None:
            place(item.stand_in.meta.origin, item.mistakes[0].file, line)
            found[item.key] = Claim(item.stand_in, line, is_held=True, is_stand_in=True)
    return found


def duplicate(key: ObjectKey, claim: Claim, known: ModelObject) -> Mistake:
    """Return what to tell about a text for an object that has another one already."""
    origin = known.meta.origin
    return Mistake(
        file=claim.object.meta.origin.file,
        line=claim.line,
        kind=key.kind.value,
        name=f"{key.namespace}/{key.name}" if key.namespace else key.name,
        field="metadata.name",
        message=f"the same object stands in {origin.file}:{origin.line} too, which counts",
    )
