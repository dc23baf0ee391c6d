"""The mistakes of both states of ``frrsync plan``, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.consistency import mistakes_between
from frrsync.core.model import Mistake
from frrsync.core.preview import FoundMistake
from frrsync.core.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from frrsync.core.precedence import Precedence
    from frrsync.core.preview import Side
    from frrsync.directory.store import DirectoryState


class MistakeBook:
    """Collects mistakes; what one node says again after the folder, or after another node, is not repeated."""

    def __init__(self, load_balancer_class: str) -> None:
        self._load_balancer_class = load_balancer_class
        self._found: dict[tuple[str, ...], FoundMistake] = {}
        self._told: set[tuple[str, ...]] = set()

    def of_folder(
        self, side: Side, state: DirectoryState, before: Precedence, located: Callable[[Mistake], Mistake]
    ) -> None:
        """Note what is wrong in a folder, in single objects and between them."""
        between = mistakes_between(state.snapshot, self._load_balancer_class, before)
        self._note(side, map(located, (*state.mistakes, *between)))

    def of_node(self, side: Side, node: str, mistakes: Iterable[Mistake]) -> None:
        """Note what one node leaves out."""
        self._note(side, mistakes, node)

    def of_rendering(self, side: Side, node: str, error: Exception) -> None:
        """Note why a node's configuration cannot be rendered; the text names template or field."""
        mistake = Mistake(file="", line=0, message=redact(str(error)))
        self._found.setdefault((side, mistake.message), FoundMistake(side=side, mistake=mistake, node=node))

    def all(self) -> tuple[FoundMistake, ...]:
        """Return every mistake, those of one file together."""
        found = self._found.values()
        return tuple(
            sorted(found, key=lambda item: (item.side, item.mistake.file, item.mistake.line, str(item.mistake)))
        )

    def _note(self, side: Side, mistakes: Iterable[Mistake], node: str = "") -> None:
        for mistake in mistakes:
            # Of broken syntax there is no object: two such mistakes differ by their text.
            subject = (side, mistake.file, mistake.kind or mistake.message, mistake.name, mistake.field)
            if node and subject in self._told:
                continue
            self._told.add(subject)
            self._found.setdefault((*subject, mistake.message), FoundMistake(side=side, mistake=mistake, node=node))
