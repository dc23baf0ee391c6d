"""What must never reach FRR: values that break out of their line, and text with a broken structure.

FRR has no quoting. A newline ends a command, CR becomes a blank, NUL starts a second command at the
socket, ``|`` starts an output filter (FRR then stores half a line with status 0) and ``?`` asks for help.
FRR 8.4 hangs in ``vtysh -f`` when a line has some thousand characters.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from frrsync.core.frr_config import Network
from frrsync.core.redact import redact
from frrsync.errors import ConfigError, RenderError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from frrsync.core.frr_config import FrrConfig

LONGEST_LINE = 1000
"""Characters; FRR 8.4 takes some thousand, a description of 900 was measured to come back unchanged."""
LONGEST_VALUE = 900
"""Characters, so that a line with the longest value and the words before it is still short enough."""
LARGEST_TEXT = 32 * 1024 * 1024
"""Characters of the whole configuration; 50,000 prefixes are about 3 MiB."""

# C0 and C1 controls, what str.splitlines takes for the end of a line, and lone surrogates (no UTF-8).
_NEVER = "\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff|?"
_FORBIDDEN_IN_TEXT = re.compile(f"[{_NEVER}]")
_FORBIDDEN_IN_VALUE = re.compile(f"[{_NEVER}\n]")
_FORBIDDEN_IN_WORD = re.compile(f"[{_NEVER}\n \xa0]")
_PREFIX, _CLASS_MAP = attrgetter("prefix"), attrgetter("class_map")
_ENDS = frozenset({"end", "exit", "exit-address-family", "exit-vrf"})
_COMMANDS = ("do", "end", "exit", "find", "help", "list", "quit", "show", "write")
"""FRR runs these in every context; ``do`` runs whatever follows it, such as ``clear bgp *``."""
_ABBREVIATED = frozenset(name[:end] for name in _COMMANDS for end in range(2, len(name) + 1))
_FREE_TEXT = frozenset({"description"})
_NAMES = ("peer", "name", "prefix")


def check_values(config: FrrConfig) -> None:
    """Refuse values that FRR would not take as one word, or as one line for a description.

    Raises:
        ConfigError: names the field and the character, never the value: it may be a password.

    """
    _check_object(config, "")


def _check_object(item: DataclassInstance, path: str) -> None:
    for field in fields(item):
        value = getattr(item, field.name)
        where = f"{path}.{field.name}" if path else field.name
        if isinstance(value, str):
            _check_text_value(where, value, free=field.name in _FREE_TEXT)
        elif isinstance(value, tuple):
            _check_tuple(value, where)


def _check_tuple(values: tuple[object, ...], path: str) -> None:
    if values and isinstance(values[0], Network):
        # Thousands of them: one look at all together, a second one only to name the bad one.
        together = "".join([*map(_PREFIX, values), *set(map(_CLASS_MAP, values))])
        if _FORBIDDEN_IN_WORD.search(together) is None:
            return
    for index, item in enumerate(values):
        if isinstance(item, str):
            _check_text_value(f"{path}[{index}]", item, free=False)
        elif is_dataclass(item) and not isinstance(item, type):
            _check_object(item, f"{path}[{_name_of(item, index)}]")


def _name_of(item: object, index: int) -> str:
    """Return the name to show for a list item: its own if that can be shown."""
    for field in _NAMES:
        name = getattr(item, field, "")
        if isinstance(name, str) and name and _FORBIDDEN_IN_WORD.search(name) is None:
            return name
    return str(index)


def _check_text_value(where: str, value: str, *, free: bool) -> None:
    found = (_FORBIDDEN_IN_VALUE if free else _FORBIDDEN_IN_WORD).search(value)
    if found is not None:
        allowed = "printable text on one line" if free else "one printable word without blanks"
        raise ConfigError(
            f"{where}: found the character {found[0]!r} at position {found.start() + 1}; "
            f"allowed is {allowed}, without | and ?"
        )
    if len(value) > LONGEST_VALUE:
        raise ConfigError(f"{where}: found {len(value)} characters, allowed are at most {LONGEST_VALUE}")
    if "  " in value or value != value.strip(" "):
        raise ConfigError(f"{where}: found leading, trailing or double blanks, which FRR does not keep")


class TextFault(RenderError):
    """Text that FRR could not take; ``line`` is the line as it was printed, perhaps with a password."""

    def __init__(self, message: str, line: str) -> None:
        self.line = line
        super().__init__(message)


def check_text(text: str, *, what: str = "the rendered configuration") -> None:
    """Refuse text that FRR could not take as it stands, whatever template it came from.

    Raises:
        RenderError: names the line within the text, and shows it without passwords.

    """
    if (found := _FORBIDDEN_IN_TEXT.search(text)) is not None:
        number = text.count("\n", 0, found.start()) + 1
        raise TextFault(
            f"line {number} of {what}: found the character {found[0]!r}, allowed is printable text without | and ?",
            text.split("\n")[number - 1],
        )
    _Structure(what).check(text)


class _Structure:
    """Follows the contexts of a configuration, one space of indentation for each."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._path: list[str] = []  # the last line of each level; empty when its context was closed
        self._entered: set[tuple[str, ...]] = set()

    def check(self, text: str) -> None:
        """Refuse long lines, wrong levels, ends that end nothing, and contexts that come twice."""
        base: int | None = None
        for number, line in enumerate(text.split("\n"), 1):
            words = line.strip(" ")
            if not words or words.startswith("!"):
                continue
            indentation = len(line) - len(line.lstrip(" "))
            base = indentation if base is None else base
            reason = self._fault_of_level(words, indentation - base) or self._take(words, indentation - base)
            if reason:
                raise TextFault(f"line {number} of {self._what} {reason}: found {redact(words)[:80]!r}", line)

    def _fault_of_level(self, words: str, level: int) -> str:
        """Return what forbids the line at this place, empty for nothing."""
        path = self._path
        if len(words) > LONGEST_LINE:
            return f"has {len(words)} characters, allowed are {LONGEST_LINE}"
        if level < 0 or level > len(path) or (level and not path[level - 1]):
            return "is indented although no context is open above it, allowed is one space for each context"
        if words == "end" or (words in _ENDS and (level >= len(path) or not path[level])):
            return "ends no open context"
        if words not in _ENDS and words.partition(" ")[0] in _ABBREVIATED:
            return "is a command, allowed is configuration only"
        return ""

    def _take(self, words: str, level: int) -> str:
        """Follow the line; return what forbids the context that it opens, empty for nothing."""
        path = self._path
        if words in _ENDS:
            path[level:] = [""]
            return ""
        first_of_context = bool(level) and len(path) == level
        path[level:] = [words]
        if words.startswith("route-map ") and not level:
            # An entry may be empty, and permit or deny tells no two entries apart.
            return self._fault_of_repetition(tuple(words.split(" ")[1::2]))
        if first_of_context and not path[level - 1].startswith("route-map "):
            return self._fault_of_repetition(tuple(path[:level]))
        return ""

    def _fault_of_repetition(self, context: tuple[str, ...]) -> str:
        if context in self._entered:
            return "is in a context that was there before, allowed is each context once"
        self._entered.add(context)
        return ""
