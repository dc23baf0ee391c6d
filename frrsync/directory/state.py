"""The state folder: the allocation record on disk, its one writer, and those who watch it.

The record is replaced as a whole, so that a reader sees the old one or the new one, never a part. A record
that cannot be read is never overwritten: other addresses than before would be worse than none for new Services.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from frrsync.directory.reader import Signature
from frrsync.directory.record import RecordReader, RecordText
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from frrsync.core.allocation import Allocation
    from frrsync.core.model import NamespacedName
    from frrsync.directory.record import Record

RECORD_NAME = "allocations.json"
LOCK_NAME = "lock"


def read_record(state_dir: Path) -> Record:
    """Return the record of a state folder, empty if there is none yet; raises ConfigError if it is broken."""
    found = load_record(state_dir, RecordReader())
    return found[0] if found else {}


def load_record(state_dir: Path, reader: RecordReader) -> tuple[Record, Signature] | None:
    """Return the record and the signature of its file, None if there is no file."""
    path = state_dir / RECORD_NAME
    try:
        with path.open("rb") as file:
            signature = Signature.of(os.fstat(file.fileno()))
            text = file.read().decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: broken allocation record: byte {error.start} is not UTF-8") from None
    return reader.read(text, path), signature


def check_state_dir(state_dir: Path, manifests: Path) -> None:
    """Refuse a state folder inside of the folder of manifests: every record would count as a change."""
    if state_dir.resolve().is_relative_to(manifests.resolve()):
        raise ConfigError(
            f"--state-dir {state_dir} lies inside of --manifests {manifests}; the record of addresses must be outside"
        )


class OwnedRecord:
    """The record in the hands of the one process that allocates; a context that holds the lock.

    Attributes:
        allocated: what is on disk.

    """

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir
        self._path = state_dir / RECORD_NAME
        self._text = RecordText()
        self._lock: int | None = None
        self._signature: Signature | None = None
        self.allocated: Mapping[NamespacedName, Allocation] = {}

    def __enter__(self) -> Self:
        """Lock the state folder and read the record; raises ConfigError if either is impossible."""
        with self._reported("cannot be used as state folder"):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._acquire()
        try:
            found = load_record(self._folder, RecordReader())
        except ConfigError:
            self._release()
            raise
        if found is not None:
            self.allocated, self._signature = found
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        self._release()

    def is_intact(self) -> bool:
        """Say whether the file is the one that was read or written last."""
        try:
            return Signature.of(self._path.stat()) == self._signature
        except FileNotFoundError:
            return self._signature is None

    def write(self, allocated: Mapping[NamespacedName, Allocation], *, always: bool = False) -> bool:
        """Replace the record if it says something else, and say whether it was; raises ConfigError if it cannot.

        On return the new record is on disk for good. With ``always`` it is written even if it says the same.
        """
        # The first record is written even when it is empty: agents wait for one.
        is_new = always or self._signature is None
        if not is_new and (allocated is self.allocated or allocated == self.allocated):
            self.allocated = allocated
            return False
        with self._reported("cannot be written"):
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._owns_lock():
                self._release()
                self._acquire()
            self._replace(self._text.of(allocated))
        self.allocated = allocated
        return True

    def _replace(self, text: str) -> None:
        new = self._folder / f".{RECORD_NAME}.new"
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)  # whatever the umask says: agents may run as somebody else
            file.write(text.encode())
            file.flush()
            os.fsync(handle)
        new.replace(self._path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._signature = Signature.of(self._path.stat())

    def _acquire(self) -> None:
        """Take the lock; the kernel gives it back when this process ends, however it ends."""
        path = self._folder / LOCK_NAME
        with self._reported("cannot be locked"):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
                os.close(handle)
                raise ConfigError(
                    f"--state-dir {self._folder} is in use by process {holder or 'unknown'}, which allocates already; "
                    "stop that process, run `frrsync agent` beside it, or give this one another --state-dir"
                ) from None
            except OSError:
                os.close(handle)
                raise
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _owns_lock(self) -> bool:
        """Say whether the lock held is still the file of that name, which somebody may have deleted."""
        if self._lock is None:
            return False
        try:
            named = (self._folder / LOCK_NAME).stat()
        except FileNotFoundError:
            return False
        held = os.fstat(self._lock)
        return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)

    @contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        """Turn an error of the system into one that says what is wrong with which folder."""
        try:
            yield
        except OSError as error:
            raise ConfigError(f"--state-dir {self._folder} {what}: {error.strerror or error}") from error
