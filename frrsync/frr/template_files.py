"""The operator's folder of templates, read whole in one moment.

What templates may load is a mapping of names to texts, so no name leads out of the folder: not ``..``, not an
absolute path, not a link. A Kubernetes ConfigMap is a folder of links to links, so links within are followed.
A file that cannot be used is an error when it is asked for: silently taking ours instead would be another
configuration than the operator's.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jinja2

from frrsync.errors import ConfigError, RenderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OURS = "frrsync"
"""Under this name our templates stay reachable when the operator has a file of the same name."""
FRAGMENTS = "fragments"
FRAGMENT_NAMES = (
    "before.j2",
    "after.j2",
    "router.j2",
    "router-VRF.j2",
    "neighbor.j2",
    "neighbor-NAME.j2",
    "address_family.j2",
    "address_family-ipv4.j2",
    "address_family-ipv6.j2",
)
"""What may be in the folder of fragments; VRF is ``default`` or a VRF's name, NAME that of a BGPPeer."""
LARGEST_FILE = 64 * 1024
"""Bytes; our largest template has 2 KiB. What one statement can ask for is bounded by its length."""
MOST_FILES = 1000
_DEEPEST = 4

_FRAGMENT = re.compile(r"(before|after|(router|neighbor)(-[^/]+)?|address_family(-ipv[46])?)\.j2")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFiles:
    """The files of one folder; ``faults`` says of those that cannot be used why."""

    folder: Path
    texts: dict[str, str]
    faults: dict[str, str]

    def place(self, name: str) -> str:
        """Return how a file is called in errors."""
        return str(self.folder / name)

    def has(self, filename: str) -> bool:
        """Say whether a template was compiled from one of these files."""
        return any(filename == self.place(name) for name in self.texts)

    def fragments(self, place: str, name: str = "") -> tuple[str, ...]:
        """Return the fragments for a place, the general one first."""
        wanted = (f"{FRAGMENTS}/{place}.j2", f"{FRAGMENTS}/{place}-{name}.j2")
        return tuple(one for one in wanted if one in self.texts or one in self.faults)


def read_templates(folder: Path) -> TemplateFiles:
    """Read every file of the folder that may be a template.

    Raises:
        ConfigError: there is no such folder, or it went away or was changed meanwhile.
        RenderError: a file stands where none of its name has a meaning.

    """
    texts: dict[str, str] = {}
    faults: dict[str, str] = {}
    try:
        top = folder.resolve(strict=True)
        if not top.is_dir():
            raise NotADirectoryError  # noqa: TRY301 - told like a missing one
        for number, name in enumerate(_names(top, "", 0)):
            if number == MOST_FILES:
                raise ConfigError(f"templates: found more than {MOST_FILES} files in {folder}")
            try:
                texts[name] = _read(top, name)
            except ValueError as fault:
                faults[name] = str(fault)
        os.stat(folder)  # noqa: PTH116 - a folder that is being removed counts as missing, not as empty
    except (FileNotFoundError, NotADirectoryError) as error:
        text = f"templates: found no folder {folder}, allowed is a folder of templates or none"
        raise ConfigError(text) from error
    except OSError as error:
        raise ConfigError(f"templates: cannot read {folder}: {error.strerror or error}") from error
    found = TemplateFiles(folder=folder, texts=texts, faults=faults)
    _check_names(found)
    return found


def _names(top: Path, below: str, depth: int) -> Iterator[str]:
    """Yield the names of all files, without those that editors and ConfigMaps leave beside them."""
    with os.scandir(top / below) as entries:
        found = sorted((entry.name, _is_folder(entry)) for entry in entries)
    for name, is_folder in found:
        if name.startswith((".", "#")) or name.endswith("~"):
            continue
        if not is_folder:
            yield below + name
        elif depth < _DEEPEST and (top / below / name).resolve().is_relative_to(top):
            yield from _names(top, f"{below}{name}/", depth + 1)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether this is a folder or a link to one; False for links in a circle, which the reading names."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _read(top: Path, name: str) -> str:
    """Return the text of a file; ValueError says why it cannot be used."""
    path = top / name
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(top):
            raise ValueError("leads out of the folder of templates")
        handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise ValueError("leads to no file") from error
        raise
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("is no regular file")
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"has more than {LARGEST_FILE} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"is no UTF-8: byte {error.start + 1}") from error
    # without an end the last line and what follows it would become one
    return text if not text or text.endswith("\n") else text + "\n"


def _check_names(files: TemplateFiles) -> None:
    for name in sorted((*files.texts, *files.faults)):
        top, _, rest = name.partition("/")
        if top == FRAGMENTS and not _FRAGMENT.fullmatch(rest):
            allowed = ", ".join(FRAGMENT_NAMES)
            raise RenderError(f"{files.folder / name}: found no place of this name for a fragment; allowed: {allowed}")
        if top == OURS and rest:
            raise RenderError(f"{files.folder / name}: names below {OURS}/ are those of frrsync's own templates")


class FolderLoader(jinja2.BaseLoader):
    """Loads from what was read; nothing is opened while a template runs."""

    def __init__(self, files: TemplateFiles) -> None:
        self._files = files

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool] | None]:
        """Return text and place of a template."""
        del environment
        if template in self._files.faults:
            raise RenderError(f"{self._files.place(template)}: {self._files.faults[template]}")
        if template not in self._files.texts:
            raise jinja2.TemplateNotFound(template)
        return self._files.texts[template], self._files.place(template), None
