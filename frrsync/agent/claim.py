"""One agent for one FRR: two would take back each other's lines for ever."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from frrsync.errors import FrrUnavailable

if TYPE_CHECKING:
    from pathlib import Path


class Claim:
    """A lock on the folder of FRR's sockets, whatever path leads there; held until the process ends.

    The folder itself is locked (flock(2)), so nothing is written into it and nothing stays behind. A folder
    that was made anew is locked anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None
        self._identity: tuple[int, int] | None = None

    def take(self) -> None:
        """Lock the folder unless that is done; raises FrrUnavailable when somebody else has it.

        A folder that is not there, or may not be listed, is not locked: whoever speaks to FRR reports that.
        """
        try:
            found = self._folder.stat()
        except OSError:
            return
        if self._identity == (found.st_dev, found.st_ino):
            return
        self.release()
        try:
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise FrrUnavailable(
                f"another agent works on the FRR of {self._folder} already: stop it, or name the folder of another "
                "FRR with --vty-dir"
            ) from error
        self._handle, self._identity = handle, (found.st_dev, found.st_ino)

    def release(self) -> None:
        """Give the folder back."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = self._identity = None
