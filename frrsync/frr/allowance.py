"""What one rendering may use up: time of the processor, and everything that it makes and prints.

Sizes are counted before the thing is made. Together with the set of allowed functions (``sandbox``) no
single step of a template takes long or much, and between two steps somebody looks at the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

LARGEST_VALUE = 1_000_000
"""Characters and items of one value, whatever is nested in it."""
LARGEST_NUMBER_BITS = 256
"""The largest numbers of a router's configuration, IPv6 addresses, have 128."""
CHARACTERS = 32 * 1024 * 1024
"""Characters and items that one rendering may make and print; 50,000 prefixes are about 3 MiB."""
_CONTAINER = 8


class TooMuchError(Exception):
    """A template asked for more than it may have."""


class Allowance:
    """The limits of one rendering."""

    def __init__(self, seconds: float, characters: int = CHARACTERS) -> None:
        self._seconds = seconds
        self._characters = characters
        self._left = characters
        self._deadline = 0.0
        self.start()

    def start(self) -> None:
        """Count anew; of the processor's time, so that a busy machine is no fault."""
        self._left = self._characters
        self._deadline = time.thread_time() + self._seconds

    def tick(self) -> bool:
        """Raise if the time is used up; a true value, so that it fits into a condition."""
        if time.thread_time() > self._deadline:
            raise TooMuchError(f"used more than {self._seconds:g} s of processor time, is there an endless loop?")
        return True

    def spend(self, size: int) -> None:
        """Take so many characters or items off."""
        self._left -= size
        if self._left < 0:
            raise TooMuchError(f"the templates make or print more than {self._characters} characters")

    def reserve(self, size: int) -> None:
        """Take off what a value of this size will need, before it is made."""
        if size > LARGEST_VALUE:
            raise TooMuchError(f"a value of {size} characters or items is too large, allowed are {LARGEST_VALUE}")
        self.spend(size)

    def charge(self, value: object) -> object:
        """Take off what a value is made of; what yields its items one by one becomes a list."""
        if isinstance(value, int):
            check_number(value)
            return value
        if isinstance(value, Iterable) and not isinstance(value, (str, list, tuple, Mapping, range)):
            value = self._collected(value)
        self.reserve(weight(value))
        return value

    def _collected(self, items: Iterable[object]) -> list[object]:
        found: list[object] = []
        for item in items:
            found.append(item)
            if not len(found) % 1000:
                self.tick()
                self.reserve(len(found))
        return found


def check_number(value: int) -> None:
    """Refuse numbers that no router knows; their digits could fill the memory."""
    if value.bit_length() > LARGEST_NUMBER_BITS:
        raise TooMuchError(f"a number of {value.bit_length()} bits is too large, allowed are {LARGEST_NUMBER_BITS}")


def weight(value: object) -> int:
    """Count characters and items of a value, nested ones as often as they occur; stops when it is too large."""
    found, waiting = 0, [value]
    while waiting and found <= LARGEST_VALUE:
        item = waiting.pop()
        if isinstance(item, (str, range)):
            found += len(item)
        elif isinstance(item, (list, tuple)):
            found += _CONTAINER + len(item)
            waiting.extend(item)
        elif isinstance(item, Mapping):
            found += _CONTAINER + 2 * len(item)
            waiting.extend(item.keys())
            waiting.extend(item.values())
    return found
