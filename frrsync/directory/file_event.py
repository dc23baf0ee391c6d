"""What an event of a file or a folder means for its manifests: look now, look in a moment, or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEventHandler,
)

from frrsync.directory.reader import is_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from watchdog.events import (
        FileSystemEvent,
    )

EVENTS: Final[list[type[FileSystemEvent]]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]
"""Events that are asked for; those of writing only put a file off, because it counts once it is closed."""


class ChangeLog(Protocol):
    """Who keeps what changed."""

    def note(self, paths: Iterable[Path] = (), *, everything: bool = False) -> None:
        """Have paths, or everything, looked at now."""

    def note_later(self, paths: Iterable[Path]) -> None:
        """Have paths looked at in a moment, unless something is heard of them before."""

    def note_writing(self, path: Path) -> None:
        """Leave a file alone until it is closed."""


class FileEvents(FileSystemEventHandler):
    """Translates events to what the watcher notes; ``real`` is the folder behind all symbolic links."""

    def __init__(
        self, changes: ChangeLog, folder: Path, real: Path, counts: Callable[[str], bool] = is_manifest
    ) -> None:
        self._changes = changes
        self._is_of_interest = counts
        self._folder = folder
        self._real = real

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take every kind of event: they differ only in when a path is looked at."""
        source, target = self._path(event.src_path), self._path(event.dest_path)
        if isinstance(event, FileModifiedEvent):
            if source is not None and self._is_read(source):
                self._changes.note_writing(source)
        elif any(path is not None and self._is_mount(path) for path in (source, target)):
            # A mounted ConfigMap: every file is a link through "..data", which is replaced as a whole.
            self._changes.note(everything=True)
        elif event.is_directory:
            self._changes.note_later([path for path in (source, target) if path is not None and self._counts(path)])
        else:
            self._file_event(event, source, target)

    def _file_event(self, event: FileSystemEvent, source: Path | None, target: Path | None) -> None:
        gone = source if source is not None and self._is_read(source) else None
        come = target if target is not None and self._is_read(target) else None
        if isinstance(event, FileMovedEvent):
            if come is not None:
                self._changes.note([path for path in (gone, come) if path is not None])
            elif gone is not None:
                self._changes.note_later([gone])
        elif gone is None:
            return
        elif isinstance(event, FileClosedEvent) or (isinstance(event, FileCreatedEvent) and gone.is_symlink()):
            self._changes.note([gone])
        else:
            self._changes.note_later([gone])

    def _path(self, path: bytes | str) -> Path | None:
        """Return a path as the user names it, None if there is none or it lies elsewhere."""
        real = Path(os.fsdecode(path)) if path else None
        return self._folder / real.relative_to(self._real) if real and real.is_relative_to(self._real) else None

    def _is_mount(self, path: Path) -> bool:
        return any(part.startswith("..") for part in path.relative_to(self._folder).parts)

    def _counts(self, path: Path) -> bool:
        return not any(part.startswith(".") for part in path.relative_to(self._folder).parts)

    def _is_read(self, path: Path) -> bool:
        return self._is_of_interest(path.name) and self._counts(path)
