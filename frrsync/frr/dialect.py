"""What differs between the versions of FRR, as data in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from frrsync.errors import FrrUnavailable

OLDEST = (8, 4)
"""The oldest FRR that frrsync works with: that of Debian 12."""

_VERSION = re.compile(r"(?:FRRouting|frr version|^)\s*(\d+)\.(\d+)", re.MULTILINE)
_MULTIPATH = re.compile(r"--enable-multipath=(\d+)")
_BUILT_WITH_MULTIPATH = 16
_DEFAULT_RESOLVE_VIA_DEFAULT = (9, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one FRR writes its running configuration.

    Attributes:
        version: major and minor number.
        prints_resolve_via_default: ``ip nht resolve-via-default`` is no default here, so it must be
            configured and is printed. From FRR 9.1 on it is the default and never printed.
        maximum_paths: the most equal paths of this build; ``maximum-paths`` of this value is never
            printed and a larger one is refused. Debian builds with 256, FRR's own build file with 16.

    """

    version: tuple[int, int]
    prints_resolve_via_default: bool
    maximum_paths: int


def dialect_of(version_text: str) -> Dialect:
    """Return the dialect of an FRR from its ``show version`` (or ``frr version`` line).

    Raises:
        FrrUnavailable: the text names no version, or one that is too old.

    """
    found = _VERSION.search(version_text)
    if found is None:
        first = version_text.strip().partition("\n")[0]
        raise FrrUnavailable(f"cannot tell the version of FRR: found {first[:80]!r}, expected FRRouting X.Y")
    version = (int(found[1]), int(found[2]))
    if version < OLDEST:
        raise FrrUnavailable(f"FRR {version[0]}.{version[1]} is too old: allowed is {OLDEST[0]}.{OLDEST[1]} or newer")
    multipath = _MULTIPATH.search(version_text)
    return Dialect(
        version=version,
        prints_resolve_via_default=version < _DEFAULT_RESOLVE_VIA_DEFAULT,
        maximum_paths=int(multipath[1]) if multipath else _BUILT_WITH_MULTIPATH,
    )
