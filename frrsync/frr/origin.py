"""Where the lines of a rendered configuration come from: which line of which template of the operator's.

Templates are compiled a second time with a mark in front of everything that they print. A mark is made of two
characters that no configuration has and a number. It is only done when somebody has to be told: about text
that FRR must not see, a line that FRR refuses, one that it prints differently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from frrsync.frr.tree import parse

if TYPE_CHECKING:
    from frrsync.frr.tree import Path

_BEGIN, _END = "\ue000", "\ue001"
_MARK = re.compile(f"{_BEGIN}([0-9]{{1,9}}){_END}")


class Marks:
    """The marks of one set of templates and the places that they stand for."""

    def __init__(self) -> None:
        self._places: list[str] = []
        self._numbers: dict[str, int] = {}

    def mark(self, file: str, line: int) -> str:
        """Return the mark of a line of a template."""
        place = f"{file}:{line}"
        number = self._numbers.setdefault(place, len(self._places))
        if number == len(self._places):
            self._places.append(place)
        return f"{_BEGIN}{number}{_END}"

    def places(self, marked: str) -> list[str]:
        """Return for every line of a marked text where it comes from, an empty text for a line of ours."""
        return [self._place(line) for line in marked.split("\n")]

    def paths(self, marked: str) -> dict[Path, str]:
        """Return the paths of all lines that are not ours, and where each comes from."""
        found: dict[Path, str] = {}
        above: list[tuple[int, str]] = []
        for line, place in zip(unmarked(marked).split("\n"), self.places(marked), strict=True):
            words = line.lstrip(" ")
            if not words or words.startswith("!"):
                continue
            indentation = len(line) - len(words)
            while above and above[-1][0] >= indentation:
                above.pop()
            above.append((indentation, words.rstrip(" ")))
            if place and parse(line):  # no end of a context
                found[tuple(text for _, text in above)] = place
        return found

    def _place(self, line: str) -> str:
        """Return what printed the first words of a line that are not ours."""
        if _BEGIN not in line:
            return ""
        pieces = _MARK.split(line)
        printed = zip(pieces[1::2], pieces[2::2], strict=True)
        numbers = (int(number) for number, text in printed if text.strip())
        # a template may print what looks like a mark
        return next((self._places[number] for number in numbers if number < len(self._places)), "")


def unmarked(marked: str) -> str:
    """Return the text as it would be without marks."""
    return _MARK.sub("", marked)
