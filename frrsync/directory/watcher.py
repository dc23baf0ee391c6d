"""Notices changes of manifests at once, and never acts on a file that is still being written.

Events only note paths and call ``on_change``; who reads them is the store, in its own thread. A watch can
miss things (a full queue, a link to elsewhere, a network file system), so a cheap look at times and sizes
follows every ten seconds.
"""

from __future__ import annotations

import math
import stat
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from frrsync import log
from frrsync.directory.file_event import EVENTS, FileEvents
from frrsync.directory.reader import is_manifest, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

    from frrsync.directory.reader import Signature


RESCAN_SECONDS: Final = 10.0
FOLDER_CHECK_SECONDS: Final = 1.0
"""How often it is made sure that the folder watched is still the one of that name."""

MISSING_CHECK_SECONDS: Final = 0.2

SETTLE_SECONDS: Final = 0.05
"""How long a file must be gone to count as deleted: git and vim take one away and write it anew."""

STILL_WRITTEN_SECONDS: Final = 1.0
"""A file younger than this may still be written; only the event of its closing makes it count earlier."""

NOT_CLOSED_SECONDS: Final = 60.0
"""How long after its last write a file that nobody closed is left alone: the event of its closing may be lost."""

MOVE_PAIR_SECONDS: Final = 0.002
"""How long watchdog may wait for the other half of a move; its own half second is most of a change."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since the last look; true if anything did."""

    paths: frozenset[Path] = frozenset()
    everything: bool = False

    def __bool__(self) -> bool:
        """Say whether there is anything to read."""
        return self.everything or bool(self.paths)


class ManifestWatcher:
    """Watches one folder, and everything below it, from ``start`` to ``stop``.

    ``on_change`` is called from threads of the watcher, holds nothing up and must not raise. ``counts`` says
    by its name whether a file is one of those that matter.
    """

    def __init__(
        self,
        folder: Path,
        on_change: Callable[[], None],
        *,
        rescan_seconds: float = RESCAN_SECONDS,
        counts: Callable[[str], bool] = is_manifest,
    ) -> None:
        self._folder = folder
        self._counts = counts
        self._on_change = on_change
        self._rescan_seconds = rescan_seconds
        self._log = log.get("watcher")
        # Two kinds of thread write here, a third takes: the one lock of this class, held for a few lines.
        self._lock = threading.Condition()
        self._paths: set[Path] = set()
        self._everything = False
        self._later: dict[Path, float] = {}
        self._writing: dict[Path, float] = {}
        self._stopping = False
        self._observer: InotifyObserver | None = None
        self._watched: tuple[int, int] | None = None
        self._seen: dict[Path, Signature] = {}
        self._problem = ""
        self._next_check = self._next_look = 0.0
        self._keeper = threading.Thread(target=self._keep, name="manifest-watcher", daemon=True)

    @property
    def problem(self) -> str:
        """Return why changes are only noticed by looking, or an empty text."""
        return self._problem

    def start(self) -> None:
        """Begin to watch; what is in the folder already counts as seen by the first rescan of the store."""
        InotifyMoveEventGrouper.delay = MOVE_PAIR_SECONDS
        self._watch()
        self._seen = self._scan()
        self._keeper.start()

    def stop(self) -> None:
        """End all threads of the watcher."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        self._keeper.join()
        self._unwatch()

    def drain(self) -> Changes:
        """Return what changed since the last call."""
        with self._lock:
            changes = Changes(frozenset(self._paths), self._everything)
            self._paths, self._everything = set(), False
        return changes

    def note(self, paths: Iterable[Path] = (), *, everything: bool = False) -> None:
        """Add to what changed and wake whoever reads it."""
        with self._lock:
            for path in paths:
                self._paths.add(path)
                self._writing.pop(path, None)
            self._everything |= everything
            for path in self._paths:
                self._later.pop(path, None)
        self._on_change()

    def note_later(self, paths: Iterable[Path], seconds: float = SETTLE_SECONDS) -> None:
        """Have these paths looked at after a moment, unless something is heard of them before."""
        at = time.monotonic() + seconds
        with self._lock:
            for path in paths:
                self._later[path] = min(at, self._later.get(path, at))
            self._lock.notify_all()

    def note_writing(self, path: Path) -> None:
        """Leave a file alone until it is closed."""
        with self._lock:
            self._writing[path] = time.monotonic() + NOT_CLOSED_SECONDS

    def _is_writing(self, path: Path) -> bool:
        with self._lock:
            return self._writing.get(path, 0.0) > time.monotonic()

    def _keep(self) -> None:
        """Do what no event does: deletions that stand, a folder that came back, the periodic look."""
        self._next_look = time.monotonic() + self._rescan_seconds
        while True:
            with self._lock:
                due = min([self._next_check, self._next_look, *self._later.values()])
                while not self._stopping and (wait := due - time.monotonic()) > 0:
                    self._lock.wait(wait)
                    due = min([self._next_check, self._next_look, *self._later.values()])
                if self._stopping:
                    return
                now = time.monotonic()
                ripe = [path for path, at in self._later.items() if at <= now]
                for path in ripe:
                    del self._later[path]
            self._report(ripe)
            if now >= self._next_check:
                self._check_folder()
                self._next_check = now + (FOLDER_CHECK_SECONDS if self._watched else MISSING_CHECK_SECONDS)
            if now >= self._next_look:
                self._look()
                self._next_look = now + (self._rescan_seconds if self._observer else FOLDER_CHECK_SECONDS)

    def _report(self, paths: list[Path]) -> None:
        """Report what was put off: deletions that stand and files that nobody writes any more."""
        ages = {path: _age(path) for path in paths}
        young = {path: age for path, age in ages.items() if age < STILL_WRITTEN_SECONDS}
        young |= {path: 0.0 for path, age in ages.items() if math.isfinite(age) and self._is_writing(path)}
        for path, age in young.items():
            self.note_later([path], STILL_WRITTEN_SECONDS - age)
        ripe = set(paths).difference(young)
        if any(not self._counts(path.name) for path in ripe):  # a folder, perhaps the watched one itself
            self._next_check = time.monotonic()
            self.note(everything=True)
        elif ripe:
            self.note(ripe)

    def _check_folder(self) -> None:
        """Watch again when the folder of that name is another one than the one watched, or came back."""
        now, before = _identity(self._folder), self._watched
        alive = self._observer is None or all(emitter.is_alive() for emitter in self._observer.emitters)
        is_same = now == before and alive
        if is_same and not self._problem:
            return
        self._unwatch()
        self._watch()
        if is_same and self._problem:
            return
        if now is None:
            self._log.warning("folder_vanished", folder=str(self._folder))
        else:
            self._log.info("folder_watched_again", folder=str(self._folder))
        self.note(everything=True)

    def _watch(self) -> None:
        self._watched = _identity(self._folder)
        if self._watched is None:
            return
        try:
            observer = InotifyObserver(generate_full_events=True)  # a file moved in differs from one begun
        except OSError as error:
            self._give_up(error)
            return
        try:
            folder = self._folder.resolve()
            events = FileEvents(self, self._folder, folder, counts=self._counts)
            observer.schedule(events, str(folder), recursive=True, event_filter=EVENTS)
            observer.start()
        except OSError as error:
            _end(observer)
            self._give_up(error)
            return
        self._observer, self._problem = observer, ""

    def _give_up(self, error: OSError) -> None:
        """Go on without events: too many watches, or the folder vanished in this very moment."""
        problem = f"{self._folder}: cannot be watched: {error.strerror or error}"
        if problem != self._problem:
            self._log.warning("folder_not_watched", folder=str(self._folder), error=str(error))
        self._problem = problem

    def _unwatch(self) -> None:
        if self._observer is not None:
            _end(self._observer)
        self._observer = self._watched = None

    def _look(self) -> None:
        """Compare times and sizes with the last look and report what no event may have told."""
        now, before = self._scan(), self._seen
        young = time.time_ns() - int(STILL_WRITTEN_SECONDS * 1e9)
        changed = {path for path, signature in now.items() if before.get(path) != signature}
        waiting = {path for path in changed if now[path].modified > young or self._is_writing(path)}
        gone = before.keys() - now.keys()
        self._seen = {path: signature for path, signature in now.items() if path not in waiting}
        if changed - waiting or gone:
            self.note((changed - waiting) | gone)
        if waiting:
            self.note_later(waiting, STILL_WRITTEN_SECONDS)

    def _scan(self) -> dict[Path, Signature]:
        try:
            return scan(self._folder, self._counts)
        except OSError:
            return {}


def _age(path: Path) -> float:
    """Return the seconds since a file was written; endless for what is gone, a folder, or from the future."""
    try:
        status = path.stat()
    except OSError:
        return math.inf
    age = time.time() - status.st_mtime
    return age if age >= 0 and not stat.S_ISDIR(status.st_mode) else math.inf


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _end(observer: BaseObserver) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join()
