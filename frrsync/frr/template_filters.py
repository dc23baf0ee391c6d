"""The filters that templates may use: Jinja's harmless ones, with limits on what they make.

Left out is what makes much of little (``center``, ``indent``, ``wordwrap``, ``format``, ``batch`` ...), what
looks for patterns (``urlize``, ``striptags``, ``wordcount``) and what serves web pages.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from jinja2.filters import FILTERS
from jinja2.runtime import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from frrsync.frr.allowance import Allowance

_OF_JINJA = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last",
    "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr",
    "sort", "title", "trim", "unique", "upper",
)  # fmt: skip
NAMES = tuple(sorted((*_OF_JINJA, "blocks", "join", "replace", "round", "string", "sum")))
"""Every filter that templates may use."""
_MOST_DIGITS = 15


def filters(allowance: Allowance) -> dict[str, Callable[..., Any]]:
    """Return the filters by name, but for ``blocks``."""
    own = _Filters(allowance)
    found = {name: _limited(FILTERS[name], allowance) for name in _OF_JINJA}
    return found | {"join": own.join, "replace": own.replace, "round": own.round, "string": printable, "sum": own.sum}


def printable(value: object) -> str:
    """Return a text or a whole number as text; anything else on a line of FRR's is a mistake."""
    if isinstance(value, str):
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises, and names what is undefined
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    found = "none" if value is None else str(value).lower() if isinstance(value, bool) else type(value).__name__
    raise TypeError(f"found {found} where text is printed, allowed are text and whole numbers")


def _limited(function: Callable[..., Any], allowance: Allowance) -> Callable[..., Any]:
    """Return a filter whose result counts; ``wraps`` keeps Jinja's mark of what it wants as first argument."""

    @wraps(function)
    def limited(*arguments: Any, **named: Any) -> object:
        allowance.tick()
        return allowance.charge(function(*arguments, **named))

    return limited


class _Filters:
    """Those of Jinja's that would make something large before anybody could look."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def join(self, value: Iterable[object], d: str = "") -> str:
        """Return the items as one text."""
        self._allowance.tick()
        between = printable(d)
        items = [printable(item) for item in value]
        self._allowance.reserve(sum(map(len, items)) + len(between) * len(items))
        return between.join(items)

    def replace(self, value: str, old: str, new: str) -> str:
        """Return the text with all occurrences replaced."""
        self._allowance.tick()
        text, before, after = printable(value), printable(old), printable(new)
        self._allowance.reserve(len(text) + text.count(before) * len(after))
        return text.replace(before, after)

    def round(self, value: float, precision: int = 0, method: str = "common") -> object:
        """Return a number rounded; Python computes 10 ** precision, however much that is."""
        self._allowance.tick()
        if abs(precision) > _MOST_DIGITS:
            raise TypeError(f"found {precision} digits to round to, allowed are at most {_MOST_DIGITS}")
        return self._allowance.charge(FILTERS["round"](value, precision, method))

    def sum(self, value: Iterable[object]) -> int:
        """Return the sum of whole numbers."""
        self._allowance.tick()
        found = 0
        for item in value:
            if not isinstance(item, int):
                raise TypeError(f"found {type(item).__name__} in a sum, allowed are whole numbers")
            found += item
        return found
