"""Watches the allocation record for those who announce: wakes at once, and looks every second besides."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from frrsync import log
from frrsync.directory.reader import Signature
from frrsync.directory.record import RecordReader
from frrsync.directory.state import RECORD_NAME, load_record
from frrsync.directory.watcher import MOVE_PAIR_SECONDS
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from watchdog.events import (
        FileSystemEvent,
    )
    from watchdog.observers.api import BaseObserver

    from frrsync.core.allocation import Allocation
    from frrsync.core.model import NamespacedName

LOOK_SECONDS: Final = 1.0
MISSING_LOOK_SECONDS: Final = 0.2


class RecordWatcher:
    """The record as somebody else writes it.

    ``on_change`` is called from threads of the watcher, holds nothing up and must not raise; ``read`` belongs
    to the thread that decides.
    """

    def __init__(self, state_dir: Path, on_change: Callable[[], None], *, look_seconds: float = LOOK_SECONDS) -> None:
        self._folder = state_dir
        self._on_change = on_change
        self._look_seconds = look_seconds
        self._log = log.get("record")
        self._stop = threading.Event()
        self._observer: InotifyObserver | None = None
        self._watched: tuple[int, int] | None = None
        self._seen: Signature | None = None
        self._read: tuple[Mapping[NamespacedName, Allocation], Signature] | None = None
        self._reader = RecordReader()
        self._keeper = threading.Thread(target=self._keep, name="record-watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch; call ``read`` after it, and nothing is missed."""
        InotifyMoveEventGrouper.delay = MOVE_PAIR_SECONDS
        self._seen = self._signature()
        self._watch()
        self._keeper.start()

    def stop(self) -> None:
        """End all threads of the watcher."""
        self._stop.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self.unwatch()

    @property
    def problem(self) -> str:
        """Return why changes are only noticed by looking, or an empty text."""
        return "" if self._observer else f"{self._folder}: not watched, only looked at"

    def read(self) -> Mapping[NamespacedName, Allocation] | None:
        """Return the record, None if none was ever seen; the same object as long as the file is the same.

        Raises ConfigError if it is broken or has vanished: whoever announces stays with what it has.
        """
        signature = self._signature()
        # What is read here need not be told, and what differs from it must be: a file that came and went
        # between two looks would otherwise never be missed.
        self._seen = signature
        if self._read is not None and signature == self._read[1]:
            return self._read[0]
        found = load_record(self._folder, self._reader)
        if found is None:
            if self._read is None:
                return None
            raise ConfigError(f"{self._folder / RECORD_NAME}: the allocation record has vanished; addresses stay")
        self._read = found
        return found[0]

    def look(self) -> None:
        """Call back if the file is another one than at the last look."""
        now = self._signature()
        if now != self._seen:
            self._seen = now
            self._on_change()

    def _keep(self) -> None:
        """Look from time to time: an event may be lost, the folder may come later or be replaced."""
        while not self._stop.wait(self._look_seconds if self._observer else MISSING_LOOK_SECONDS):
            if self._identity() != self._watched:
                self.unwatch()
                self._watch()
            self.look()

    def _watch(self) -> None:
        identity = self._watched = self._identity()
        if identity is None:
            return
        observer = InotifyObserver()
        try:
            observer.schedule(_Handler(self), str(self._folder), recursive=False)
            observer.start()
        except OSError as error:
            self._log.warning("record_not_watched", folder=str(self._folder), error=str(error))
            _end(observer)
        else:
            self._observer = observer

    def unwatch(self) -> None:
        """Go on by looking alone, until the folder is another one."""
        if self._observer is not None:
            _end(self._observer)
        self._observer = None

    def _signature(self) -> Signature | None:
        try:
            return Signature.of((self._folder / RECORD_NAME).stat())
        except OSError:
            return None

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._folder.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _end(observer: BaseObserver) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join()


class _Handler(FileSystemEventHandler):
    """Looks at the record when something was completed in its folder."""

    def __init__(self, watcher: RecordWatcher) -> None:
        self._watcher = watcher

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Leave out what says nothing: opening, reading and the single writes."""
        if isinstance(event, FileMovedEvent | FileClosedEvent | FileCreatedEvent | FileDeletedEvent):
            self._watcher.look()
