"""Folders of manifests one after the other, as an agent sees them whose one folder is replaced.

What cannot be read in the later folder keeps the state that it had in the earlier one, exactly as in a running
agent, because the same store reads both: below a folder of its own, in which a link points at each in turn.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

from frrsync.core.manifests import DEFAULT_CONFIG_NAMESPACE
from frrsync.directory.reader import scan
from frrsync.directory.store import ManifestStore
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from frrsync.core.model import Mistake
    from frrsync.directory.store import DirectoryState

_LINK = "manifests"


class FolderSuccession:
    """Reads folders in turn; a context, because of the folder with the link."""

    def __init__(self, config_namespace: str = DEFAULT_CONFIG_NAMESPACE) -> None:
        self._config_namespace = config_namespace
        self._temporary: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """Make the folder with the link."""
        self._temporary = TemporaryDirectory(prefix="frrsync-plan-")
        self._root = Path(self._temporary.name)
        self._store = ManifestStore([self._root], config_namespace=self._config_namespace)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the link; the folders behind it stay."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def read(self, folder: Path) -> DirectoryState:
        """Return what holds once the folder says this; raises ConfigError when it cannot be looked at.

        Places of objects are below the link; ``located`` names them for people.
        """
        try:
            if not folder.is_dir():
                raise ConfigError(f"{folder}: found no folder, allowed is a folder of manifests")
            scan(folder)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be read: {error.strerror or error}") from error
        link, new = self._root / _LINK, self._root / f".{_LINK}"
        new.symlink_to(folder.absolute(), target_is_directory=True)
        new.replace(link)
        return self._store.rescan()

    def located(self, mistake: Mistake, folder: Path) -> Mistake:
        """Return a mistake that was found while ``folder`` counted, with the paths that the user knows."""
        known, shown = str(self._root / _LINK), str(folder)
        return replace(mistake, file=mistake.file.replace(known, shown), message=mistake.message.replace(known, shown))
