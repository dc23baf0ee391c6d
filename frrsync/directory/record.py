"""The form of the allocation record: text to allocations and back.

``allocations.json``, schema version 1, UTF-8, one Service a line::

    {
    "version": 1,
    "services": {
    "default/dns": {"addresses": ["192.0.2.1", "2001:db8::1"], "pool": "web"},
    "default/web": {"addresses": ["192.0.2.0"], "pool": "web"}
    }
    }

``addresses`` holds one address, or an IPv4 and an IPv6 address, in canonical text; ``pool`` is the name of the
IPAddressPool that they came from. Nothing else is allowed: a later version gets another number.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any

from frrsync.core.address import parse_address
from frrsync.core.allocation import Allocation
from frrsync.core.changes import changed_keys
from frrsync.core.model import NamespacedName
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION = 1

Record = dict[NamespacedName, Allocation]

_HEAD = f'{{\n"version": {VERSION},\n"services": {{\n'
_FOOT = "\n}\n}\n"


class RecordText:
    """Writes records as text; only the lines of what changed are made anew."""

    def __init__(self) -> None:
        self._allocated: Mapping[NamespacedName, Allocation] = {}
        self._names: list[NamespacedName] = []
        self._lines: list[str] = []

    def of(self, allocated: Mapping[NamespacedName, Allocation]) -> str:
        """Return the text of a record, Services sorted by name."""
        changed = changed_keys(self._allocated, allocated)
        if len(changed) > len(self._names) // 8:
            self._names = sorted(allocated)
            self._lines = [_line(name, allocated[name]) for name in self._names]
        else:
            for name in changed:
                self._place(name, allocated.get(name))
        self._allocated = allocated
        entries = ",\n".join(self._lines)
        return f"{_HEAD}{entries}{_FOOT}"

    def _place(self, name: NamespacedName, allocation: Allocation | None) -> None:
        """Insert, replace or remove the line of one Service."""
        index = bisect_left(self._names, name)
        if index < len(self._names) and self._names[index] == name:
            del self._names[index], self._lines[index]
        if allocation is not None:
            self._names.insert(index, name)
            self._lines.insert(index, _line(name, allocation))


def _line(name: NamespacedName, allocation: Allocation) -> str:
    addresses = ", ".join(map(quoted, allocation.addresses))
    return f'{quoted(str(name))}: {{"addresses": [{addresses}], "pool": {quoted(allocation.pool)}}}'


class RecordReader:
    """Reads records, each time only the lines that it did not read the time before.

    What stands in an unchanged line becomes the same objects as before, so that what was decided about them
    need not be decided again.
    """

    def __init__(self) -> None:
        self._lines: dict[str, tuple[NamespacedName, Allocation]] = {}

    def read(self, text: str, path: Path) -> Record:
        """Return the record that a text holds; raises ConfigError that names file and line."""
        try:
            found = self._read_lines(text)
        except (ValueError, _EntryError):
            found = None
        return parse_record(text, path, dict(self._lines.values())) if found is None else found

    def _read_lines(self, text: str) -> Record | None:
        """Read a text in exactly the form in which it is written; None for any other, such as one made by hand."""
        if not (text.startswith(_HEAD) and text.endswith(_FOOT)):
            return None
        known = self._lines
        lines: dict[str, tuple[NamespacedName, Allocation]] = {}
        pieces = text[len(_HEAD) : -len(_FOOT)].split(",\n")
        for line in pieces:
            entry = known.get(line)
            if entry is None:
                ((full_name, value),) = json.loads(f"{{{line}}}", object_pairs_hook=_unique).items()
                entry = (_name(full_name), _allocation(value))
            lines[line] = entry
        found = dict(lines.values())
        if len(found) != len(pieces):
            return None
        self._lines = lines
        return found


def parse_record(text: str, path: Path, known: Mapping[NamespacedName, Allocation]) -> Record:
    """Read the text of a record; raises ConfigError that names file and line.

    An entry that says the same as a known one becomes that same object, so that what was decided about it
    need not be decided again.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique)
        _check_top(document)
    except json.JSONDecodeError as error:
        raise _broken(path, error.lineno, error.msg) from None
    except _EntryError as error:
        raise _broken(path, _line_of(text, error.key), str(error)) from None
    found: Record = {}
    for full_name, entry in document["services"].items():
        try:
            key, allocation = _name(full_name), _allocation(entry)
        except ValueError as error:
            raise _broken(path, _line_of(text, full_name), f"Service {full_name}: {error}") from None
        old = known.get(key)
        found[key] = old if old == allocation and old is not None else allocation
    return found


class _EntryError(Exception):
    """Something is wrong with a member; ``key`` tells which line it is."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _EntryError(twice, f"member {twice!r} stands twice")
    return found


def _check_top(document: Any) -> None:
    if not isinstance(document, dict) or document.keys() != {"version", "services"}:
        raise _EntryError("", "it must be an object with the members version and services")
    version = document["version"]
    if type(version) is not int or version < 1:
        raise _EntryError("version", f"version is {version!r}, it must be {VERSION}")
    if version > VERSION:
        raise _EntryError("version", f"version {version} is that of a newer frrsync; this one knows {VERSION}")
    if not isinstance(document["services"], dict):
        raise _EntryError("services", "services must be an object")


def _name(full_name: str) -> NamespacedName:
    namespace, _, name = full_name.partition("/")
    if not namespace or not name or "/" in name:
        raise ValueError("a name must be namespace/name")
    return NamespacedName(namespace, name)


def _allocation(entry: Any) -> Allocation:
    """Return one entry; raises ValueError that says what is wrong."""
    if not isinstance(entry, dict) or entry.keys() != {"addresses", "pool"}:
        raise ValueError("it must be an object with the members addresses and pool")
    addresses, pool = entry["addresses"], entry["pool"]
    if not isinstance(pool, str) or not pool:
        raise ValueError(f"pool is {pool!r}, it must be the name of an IPAddressPool")
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise ValueError("addresses must be a list of texts")
    parsed = [parse_address(address) for address in addresses]
    if [address.version for address in parsed] not in ([4], [6], [4, 6]):
        raise ValueError(f"addresses are {', '.join(addresses) or 'none'}; allowed is one, or IPv4 and IPv6")
    return Allocation(addresses=tuple(map(str, parsed)), pool=pool)


def _line_of(text: str, member: str) -> int:
    """Return the last line that holds the name of a member, 1 if none does."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if f"{quoted(member)}:" in line]
    return found[-1] if found else 1


def _broken(path: Path, line: int, message: str) -> ConfigError:
    return ConfigError(
        f"{path}:{line}: broken allocation record: {message}; nothing is allocated or released until it is "
        "corrected, or moved away, after which Services may get other addresses"
    )
