"""Files of a folder to objects of the model.

Nothing here remembers anything but what it is handed; the memory is ``directory.store``.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from frrsync.core.fields import Location
from frrsync.core.manifests import ParsedObject, parse_object
from frrsync.core.model import Mistake
from frrsync.directory.builder import BrokenTextError
from frrsync.directory.document import Document, documents, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from frrsync.core.model import Origin
    from frrsync.directory.document import Chunk

MAX_SIZE: Final = 10 * 1024 * 1024
"""Largest file in bytes; 10,000 Services in one file are 6 MB."""

ENDINGS: Final = (".yaml", ".yml", ".json")
_LIST_DEPTH: Final = 4


class Signature(NamedTuple):
    """What tells, without reading it, that a file is not the one that was read; times in nanoseconds."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        """Return the signature of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


NO_SIGNATURE: Final = Signature(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one chunk of a file holds, kept as long as its text stays the same.

    Attributes:
        line: number of the line before the chunk when it was read.
        items: objects with the line where each starts.
        is_broken: something in it could not be told, not even whose it is.

    """

    line: int
    items: tuple[tuple[int, ParsedObject], ...]
    is_broken: bool

    def moved(self, line: int, file: str) -> Part:
        """Return the part as it is when its text starts at another line.

        The places in the objects are set in place: an object that only moved is still the same object, and
        everything decided about it holds. A place is only ever shown to people.
        """
        if line == self.line:
            return self
        items = []
        for at, item in self.items:
            if item.object is not None:
                place(item.object.meta.origin, file, at - self.line + line)
            mistakes = tuple(replace(mistake, line=mistake.line - self.line + line) for mistake in item.mistakes)
            items.append((at - self.line + line, replace(item, mistakes=mistakes) if mistakes else item))
        return Part(line=line, items=tuple(items), is_broken=self.is_broken)


def place(origin: Origin, file: str, line: int, offsets: Mapping[str, int] | None = None) -> None:
    """Tell an object where its text stands now, although it is frozen; see ``Part.moved``."""
    object.__setattr__(origin, "file", file)
    object.__setattr__(origin, "line", line)
    if offsets is not None:
        object.__setattr__(origin, "offsets", offsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """What was read from one file.

    Attributes:
        parts: by the hash of their text, in the order of the file.
        problem: why the file as a whole could not be read, or None.
        is_blank: there is nothing in it but white space and comments.

    """

    signature: Signature | None
    parts: Mapping[bytes, Part]
    problem: Mistake | None = None
    is_blank: bool = False

    @property
    def is_broken(self) -> bool:
        """Say whether objects may be missing although nobody took them out."""
        return self.problem is not None or any(part.is_broken for part in self.parts.values())


def is_manifest(name: str) -> bool:
    """Say whether a file of that name is read: not hidden, no backup of an editor."""
    return name.endswith(ENDINGS) and not name.startswith((".", "#"))


def scan(root: Path, counts: Callable[[str], bool] = is_manifest) -> dict[Path, Signature]:
    """Return every manifest below a folder, or the file itself, without reading it.

    Symbolic links are followed (Kubernetes mounts a ConfigMap that way), each folder is visited once. What
    cannot be looked at has ``NO_SIGNATURE``, a folder too. Raises OSError if the root is not there.
    """
    status = root.stat()
    if not stat.S_ISDIR(status.st_mode):
        return {root: Signature.of(status)}
    result: dict[Path, Signature] = {}
    folders, seen = [root], set()
    while folders:
        folder = folders.pop()
        try:
            status = folder.stat()
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError:
            if folder == root:
                raise
            result[folder] = NO_SIGNATURE
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in found:
            try:
                is_folder = entry.is_dir()
            except OSError:  # a link to where nobody may look, perhaps to a folder
                result[folder / entry.name] = NO_SIGNATURE
                continue
            if is_folder:
                folders.append(folder / entry.name)
            elif counts(entry.name):
                result[folder / entry.name] = _signature(entry)
    return result


class Presence(Enum):
    """Whether something has a name in a folder, as far as that can be told."""

    GONE = "gone"
    THERE = "there"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, path: Path) -> Presence:
        """Look for a path, a link for itself; a folder that may not be looked into is no deletion."""
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return cls.GONE
        except OSError:
            return cls.UNKNOWN
        return cls.THERE


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of what is behind a path, None if that cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _signature(entry: os.DirEntry[str]) -> Signature:
    try:
        return Signature.of(entry.stat())
    except OSError:
        return NO_SIGNATURE


def read_file(path: Path, shown: str, known: Mapping[bytes, Part], config_namespace: str) -> FileContent:
    """Read one file; parts whose text is known are not looked at again. Raises FileNotFoundError."""
    try:
        data, signature = _load(path)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return _unreadable(shown, line, f"is not UTF-8: byte 0x{error.object[error.start]:02x} has no meaning there")
    except OSError as error:
        return _unreadable(shown, 0, f"cannot be read: {error.strerror or error}")
    parts: dict[bytes, Part] = {}
    for chunk in split(text):
        digest = blake2b(chunk.text.encode(), digest_size=16).digest()
        while digest in parts:  # the same text twice: both are wanted, the second as a duplicate
            digest = blake2b(digest, digest_size=16).digest()
        part = known.get(digest)
        if part is None or (part.is_broken and part.line != chunk.line):  # its texts name lines too
            part = _read_chunk(chunk, shown, config_namespace)
        parts[digest] = part.moved(chunk.line, shown)
    return FileContent(signature=signature, parts=parts, is_blank=_is_blank(text))


def _is_blank(text: str) -> bool:
    """Say whether a text holds no document; an empty list is one, and says that there is nothing."""
    lines = (line.strip() for line in text.splitlines())
    return all(not line or line.startswith("#") or line == "---" for line in lines)


def _load(path: Path) -> tuple[bytes, Signature]:
    """Return the content of a plain file; raises OSError for anything else, without waiting for a writer."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        os.scandir(path).close()  # says why the folder cannot be listed
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"is {_kind_of(status.st_mode)}, a plain file is needed")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"is {_kind_of(status.st_mode)}, a plain file is needed")
        if status.st_size > MAX_SIZE:
            raise OSError(f"has {status.st_size} bytes, allowed are {MAX_SIZE}; split it")
        data = os.read(descriptor, status.st_size + 1)
        while len(data) <= MAX_SIZE and (more := os.read(descriptor, MAX_SIZE)):
            data += more
    finally:
        os.close(descriptor)
    return data, Signature.of(status)


def _kind_of(mode: int) -> str:
    names = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for test, name in names if test(mode)), "no plain file")


def _unreadable(shown: str, line: int, message: str) -> FileContent:
    return FileContent(signature=None, parts={}, problem=Mistake(file=shown, line=line, message=message))


def _read_chunk(chunk: Chunk, shown: str, config_namespace: str) -> Part:
    items: list[tuple[int, ParsedObject]] = []
    try:
        for document in documents(chunk.text, chunk.line):
            items.extend(_read_document(document, shown, config_namespace))
    except BrokenTextError as error:
        mistake = Mistake(file=shown, line=error.line, message=str(error))
        items.append((error.line, ParsedObject(mistakes=(mistake,))))
    is_broken = any(item.key is None and item.mistakes for _, item in items)
    return Part(line=chunk.line, items=tuple(items), is_broken=is_broken)


def _read_document(document: Document, shown: str, config_namespace: str) -> Iterator[tuple[int, ParsedObject]]:
    for part in _unlisted(document, 0):
        if isinstance(part.data, dict):
            location = Location(file=shown, line=part.line_of)
            yield part.line, parse_object(part.data, location, config_namespace=config_namespace)
        else:
            found = "a list" if isinstance(part.data, list) else "a single value"
            mistake = Mistake(file=shown, line=part.line, message=f"found {found}, an object is needed")
            yield part.line, ParsedObject(mistakes=(mistake,))


def _unlisted(document: Document, depth: int) -> Iterator[Document]:
    """Yield the objects of a List, or the document itself; items of a ``ServiceList`` may leave out the kind."""
    data = document.data
    if not isinstance(data, dict) or depth > _LIST_DEPTH:
        yield document
        return
    kind, items = data.get("kind"), data.get("items")
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(items, list):
        yield document
        return
    if kind != "List" and not all(isinstance(item, dict) for item in items):
        yield document
        return
    lines: Any = document.lines
    filled = {} if kind == "List" else {"apiVersion": data.get("apiVersion"), "kind": kind.removesuffix("List")}
    for item, line in zip(items, lines[1]["items"][1], strict=True):
        yield from _unlisted(Document(filled | item if isinstance(item, dict) else item, line), depth + 1)
