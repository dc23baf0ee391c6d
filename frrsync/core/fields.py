"""Typed reading of plain data: every value is looked at once, every mistake is kept with its place.

``Fields`` wraps one mapping of a document. A getter returns the value, or notes a mistake and returns the
default, so that all mistakes of an object are found in one go; an object with a mistake is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from frrsync.core.grammar import quoted
from frrsync.core.model import EMPTY, Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from enum import StrEnum

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")

FieldPath = tuple[str | int, ...]

_LONGEST: Final = 2000
"""Characters of a message; a text in a manifest may have millions."""
_OTHER: Final = {str: "text", bool: "true or false", list: "a list", dict: "a mapping", type(None): "null"}
_ARTICLES: Final = {str: "text", bool: "true or false", int: "a whole number", list: "a list", dict: "a mapping"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a document came from.

    Attributes:
        file: path as the user knows it, or ``kubernetes``.
        line: gives the line of a field, or of the deepest part of its path that exists; 0 if unknown.

    """

    file: str
    line: Callable[[FieldPath], int]


def dotted(path: FieldPath) -> str:
    """Return a path as messages show it: ``spec.addresses[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def shown(value: object) -> str:
    """Return a value as messages show it; never hand a secret to this function."""
    match value:
        case str():
            return quoted(value)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return str(value)[:64]


class Report:
    """The mistakes of one object, in the order in which they were found."""

    __slots__ = ("kind", "location", "mistakes", "name")

    def __init__(self, location: Location, kind: str = "", name: str = "") -> None:
        self.location = location
        self.kind = kind
        self.name = name
        self.mistakes: list[Mistake] = []

    def add(self, path: FieldPath, message: str) -> None:
        """Note a mistake at a field."""
        self.mistakes.append(
            Mistake(
                file=self.location.file,
                line=self.location.line(path),
                kind=self.kind,
                name=self.name,
                field=dotted(path),
                message=message if len(message) <= _LONGEST else f"{message[:_LONGEST]}...",
            )
        )


class Fields:
    """One mapping of a document.

    Attributes:
        null_is_absent: kinds of Kubernetes itself read null as "not set"; custom resources refuse it.
        secret: values must not show in messages.
        is_absent: the mapping itself is not there, so that nothing can be missing in it.

    """

    __slots__ = ("data", "guessed", "is_absent", "null_is_absent", "path", "report", "secret")

    def __init__(
        self, report: Report, data: Mapping[str, Any], path: FieldPath = (), *, null_is_absent: bool = True
    ) -> None:
        self.report = report
        self.data = data
        self.path = path
        self.null_is_absent = null_is_absent
        self.secret = False
        self.is_absent = False
        self.guessed: frozenset[str] = frozenset()

    def expect(self, known: frozenset[str], *, hints: Mapping[str, str] = EMPTY) -> Fields:
        """Note every field that is not among the known ones; a hint says more about one of them."""
        if not self.data.keys() <= known:
            self.guessed = frozenset(
                guess for name in self.data if name not in known for guess in self._unknown(name, known, hints)
            )
        return self

    def _unknown(self, name: str, known: frozenset[str], hints: Mapping[str, str]) -> list[str]:
        candidates = sorted(known - self.data.keys())
        same = [candidate for candidate in candidates if candidate.lower() == name.lower()]
        guess = same or get_close_matches(name, candidates, n=1, cutoff=0.75)
        if name in hints:
            text = hints[name]
        elif guess:
            text = f"did you mean {guess[0]}?"
        else:
            text = f"known are {', '.join(sorted(known))}"
        self.add(name, f"unknown field; {text}")
        return guess

    def add(self, name: str | int | None, message: str) -> None:
        """Note a mistake at a field of this mapping, or at the mapping itself."""
        self.report.add(self.path if name is None else (*self.path, name), message)

    def has(self, name: str) -> bool:
        """Say whether the field is set (null is not)."""
        return self.data.get(name) is not None

    def require(self, name: str, what: str = "") -> bool:
        """Note that a field is missing, unless an unknown field looks like a misspelling of it."""
        if name in self.data and (self.data[name] is not None or not self.null_is_absent):
            return True
        if name not in self.guessed and not self.is_absent:
            self.add(name, f"is missing{what and f'; {what}'}")
        return False

    def _value(self, name: str, kind: type[T]) -> T | None:
        """Return the value when it has exactly that type (a bool is no int here), else None."""
        value = self.data.get(name)
        if type(value) is kind:
            return value
        if value is not None or (name in self.data and not self.null_is_absent):
            self._wrong_type((*self.path, name), value, kind)
        return None

    def _wrong_type(self, path: FieldPath, value: object, kind: type) -> None:
        found = _OTHER.get(type(value), "a number") if self.secret else shown(value)
        hint = "; put it in quotes" if kind is str and not isinstance(value, dict | list | None) else ""
        self.report.add(path, f"found {found}, {_ARTICLES[kind]} is needed{hint}")

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        value = self._value(name, str)
        return default if value is None else value

    def parsed(self, name: str, parse: Callable[[str], T], default: T, *, example: str = "") -> T:
        """Return what ``parse`` makes of a text; absent and empty give the default, ValueError a mistake.

        The example is shown to who wrote a number.
        """
        found = self.data.get(name)
        if example and isinstance(found, int | float):
            self.add(name, f"found {shown(found)}, text such as {example} is needed")
            return default
        value = self._value(name, str)
        if not value:
            return default
        try:
            return parse(value)
        except ValueError as error:
            self.add(name, str(error))
            return default

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self._value(name, bool)
        return default if value is None else value

    def integer(self, name: str, lowest: int, highest: int, default: T) -> int | T:
        """Return a whole number within bounds, both included."""
        value = self._value(name, int)
        if value is None:
            return default
        if not lowest <= value <= highest:
            self.add(name, f"found {value}, allowed are {lowest} to {highest}")
            return default
        return value

    def choice(self, name: str, values: type[E], default: T) -> E | T:
        """Return one word of an enumeration; kinds of Kubernetes read the empty text as "not set"."""
        value = self._value(name, str)
        if value is None or (not value and self.null_is_absent):
            return default
        try:
            return values(value)
        except ValueError:
            self.add(name, f"found {quoted(value)}, allowed are {', '.join(values)}")
            return default

    def fields(self, name: str, known: frozenset[str] | None = None) -> Fields:
        """Return a mapping inside this one, an empty one when it is absent."""
        value = self._value(name, dict)
        inner = Fields(self.report, value or {}, (*self.path, name), null_is_absent=self.null_is_absent)
        inner.secret = self.secret
        inner.is_absent = value is None
        return inner if known is None else inner.expect(known)

    def fields_list(self, name: str, known: frozenset[str] | None = None) -> list[Fields]:
        """Return the mappings of a list."""
        result = []
        for index, value in enumerate(self._value(name, list) or ()):
            path = (*self.path, name, index)
            if type(value) is not dict:
                self._wrong_type(path, value, dict)
                continue
            inner = Fields(self.report, value, path, null_is_absent=self.null_is_absent)
            result.append(inner if known is None else inner.expect(known))
        return result

    def texts(self, name: str, parse: Callable[[str], T] = str, *, unique: bool = False) -> tuple[T, ...]:  # type: ignore[assignment]  # str is the parser that changes nothing
        """Return a list of texts, each as ``parse`` makes it; with ``unique`` the second of two is a mistake."""
        result: list[T] = []
        for index, value in enumerate(self._value(name, list) or ()):
            path = (*self.path, name, index)
            if type(value) is not str:
                self._wrong_type(path, value, str)
                continue
            try:
                item = parse(value)
            except ValueError as error:
                self.report.add(path, str(error))
                continue
            if unique and item in result:
                self.report.add(path, f"found {quoted(value)} twice, once is allowed")
            result.append(item)
        return tuple(result)

    def text_map(
        self, name: str, key: Callable[[str], object] | None = None, value: Callable[[str], object] | None = None
    ) -> Mapping[str, str]:
        """Return a mapping of texts, such as labels; keys and values are checked if a function is given."""
        data = self._value(name, dict)
        if not data:
            return EMPTY
        for entry, text in data.items():
            if type(text) is not str:
                self._wrong_type((*self.path, name, entry), text, str)
                continue
            try:
                if key is not None:
                    key(entry)
                if value is not None:
                    value(text)
            except ValueError as error:
                self.report.add((*self.path, name, entry), str(error))
        return MappingProxyType(data)

    def hidden(self) -> Fields:
        """Return the same mapping, read without ever showing a value."""
        copy = Fields(self.report, self.data, self.path, null_is_absent=self.null_is_absent)
        copy.secret = True
        return copy

    def drop_null(self, *names: str) -> None:
        """Leave out null where there is a default: the API server prunes it before it sets the default."""
        if any(name in self.data and self.data[name] is None for name in names):
            self.data = {name: value for name, value in self.data.items() if value is not None or name not in names}

    def check(self, types: Sequence[tuple[str, type]]) -> None:
        """Check only the types of fields that no decision reads."""
        for name, kind in types:
            self._value(name, kind)
