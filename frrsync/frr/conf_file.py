"""The file that FRR starts with: written whole or not at all, readable by FRR only."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

MODE = 0o640
"""The file holds passwords."""


def write_conf(path: Path, text: str) -> None:
    """Replace the file atomically; owner and group are those of the file before, else of its folder.

    Raises OSError, with the old file untouched, when the disk is full or the folder may not be written.
    """
    owner = (path if path.exists() else path.parent).stat()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            os.fchmod(file.fileno(), MODE)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            else:
                with suppress(PermissionError):  # a member of FRR's group may, and FRR can read the file then
                    os.fchown(file.fileno(), -1, owner.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
