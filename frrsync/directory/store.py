"""A folder of manifests as a whole: snapshots in which only what changed is new.

Owned by one thread. A file is read as a whole; what an object was before stays while its new text is broken,
and of two texts for one object the one that was known first counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from frrsync.core.manifests import DEFAULT_CONFIG_NAMESPACE
from frrsync.core.model import Mistake, Snapshot
from frrsync.directory.claim import FileState, collect, duplicate
from frrsync.directory.reader import NO_SIGNATURE, FileContent, Presence, identity, place, read_file, scan
from frrsync.directory.snapshot import SnapshotBuilder
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from frrsync.core.model import ObjectKey
    from frrsync.directory.reader import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryState:
    """What a folder says at one moment.

    Attributes:
        mistakes: sorted by file and line.
        ignored_kinds: kinds that are none of ours, sorted, such as ``Deployment (apps/v1)``.
        files: how many files were read.
        version: grows whenever anything of the rest differs.

    """

    snapshot: Snapshot = field(default_factory=Snapshot)
    mistakes: tuple[Mistake, ...] = ()
    ignored_kinds: tuple[str, ...] = ()
    files: int = 0
    version: int = 0


_EMPTY: Final = "is empty, what was read before stays in force; delete the file to remove its objects"


class ManifestStore:
    """The objects of folders and files, kept up to date by reading what changed."""

    def __init__(self, roots: Sequence[Path], *, config_namespace: str = DEFAULT_CONFIG_NAMESPACE) -> None:
        self._roots = tuple(roots)
        self._config_namespace = config_namespace
        self._files: dict[Path, FileState] = {}
        self._claimants: dict[ObjectKey, tuple[Path, ...]] = {}
        self._contested: set[ObjectKey] = set()
        self._faulty: set[Path] = set()
        self._ignored: dict[str, int] = {}
        self._root_mistakes: tuple[Mistake, ...] = ()
        self._identities: dict[Path, tuple[int, int] | None] = {}
        self._builder = SnapshotBuilder()
        self._state = DirectoryState()

    @property
    def state(self) -> DirectoryState:
        """Return what was found last."""
        return self._state

    def rescan(self) -> DirectoryState:
        """Look at every file and read those that are not as they were read last."""
        found, missing = self._scan()
        blind = [path for path, signature in found.items() if signature is NO_SIGNATURE]
        hidden = (*missing, *blind)
        for path in sorted(self._files.keys() - found.keys(), key=str):
            if not any(path.is_relative_to(folder) for folder in hidden):
                self._forget(path)
        for path in sorted(found, key=str):
            known, signature = self._files.get(path), found[path]
            if known is None or signature is NO_SIGNATURE or known.content.signature != signature:
                self._read(path)
        return self._commit()

    def update(self, paths: Iterable[Path]) -> DirectoryState:
        """Read these files again, whatever they look like; what is gone is forgotten.

        When a root itself is gone or another one, nobody took out its files one by one: they stay.
        """
        now = {root: identity(root) for root in self._roots}
        if None in now.values() or now != self._identities:
            return self.rescan()
        found = {path: Presence.of(path) for path in paths}
        for path in sorted(found, key=lambda path: (found[path] is not Presence.GONE, str(path))):
            if found[path] is Presence.GONE:
                self._forget(path)
            else:
                self._read(path)
        return self._commit()

    def _scan(self) -> tuple[dict[Path, Signature], list[Path]]:
        """Return the files of all roots, and the roots that are not there."""
        found: dict[Path, Signature] = {}
        missing, mistakes = [], []
        for root in self._roots:
            try:
                found |= self._scan_root(root)
            except OSError as error:
                missing.append(root)
                stays = "; what was read before stays in force" if self._files else ""
                message = f"cannot be read: {error.strerror or error}{stays}"
                mistakes.append(Mistake(file=str(root), line=0, message=message))
        self._root_mistakes = tuple(mistakes)
        return found, missing

    def _scan_root(self, root: Path) -> dict[Path, Signature]:
        """Return the files of a root; raises OSError if it is not there, or looks like a bare mount point."""
        now, files = identity(root), scan(root)
        is_other = self._identities.get(root, now) != now
        if is_other and not files and any(path.is_relative_to(root) for path in self._files):
            raise OSError("is another folder than before and empty, perhaps unmounted")
        self._identities[root] = now
        return files

    def _read(self, path: Path) -> None:
        old = self._files.get(path)
        known = old.content.parts if old else {}
        try:
            content = read_file(path, str(path), known, self._config_namespace)
        except FileNotFoundError:
            if Presence.of(path) is Presence.GONE:
                self._forget(path)
                return
            problem = Mistake(file=str(path), line=0, message="is a symbolic link to nothing")
            content = FileContent(signature=None, parts={}, problem=problem)
        if content.is_blank and old is not None and old.claims:  # "helm template > file" empties it first
            content = replace(content, problem=Mistake(file=str(path), line=0, message=_EMPTY))
        if content.problem is not None and old is not None:
            kept = FileContent(signature=content.signature, parts=known, problem=content.problem)
            claims = {key: claim._replace(is_held=True) for key, claim in old.claims.items()}
            new = FileState(content=kept, claims=claims, mistakes=(content.problem,), ignored_kinds=old.ignored_kinds)
        else:
            new = collect(content, old.claims if old else {})
        self._replace(path, old, new)

    def _forget(self, path: Path) -> None:
        old = self._files.get(path)
        if old is not None:
            self._replace(path, old, None)

    def _replace(self, path: Path, old: FileState | None, new: FileState | None) -> None:
        """Put a file in the place of what it was, and note which objects that touches."""
        before = old.claims if old else {}
        after = new.claims if new else {}
        if new is None:
            del self._files[path]
        else:
            self._files[path] = new
        for key in before.keys() - after.keys():
            rest = tuple(other for other in self._claimants[key] if other != path)
            self._claimants[key] = rest
            self._settle(key)
        for key, claim in after.items():
            known = before.get(key)
            if known is None:
                self._claimants[key] = (*self._claimants.get(key, ()), path)
                self._settle(key)
            elif known.object is not claim.object or known.is_held != claim.is_held:
                self._settle(key)
        (self._faulty.add if new and new.mistakes else self._faulty.discard)(path)
        self._count_ignored(old, new)

    def _settle(self, key: ObjectKey) -> None:
        """Decide which of the texts for an object counts, and hand it to the snapshot."""
        paths = self._claimants[key]
        if not paths:
            del self._claimants[key]
            self._contested.discard(key)
            self._builder.remove(key)
            return
        if len(paths) > 1:
            first, *others = paths
            sound = [path for path in others if not self._files[path].claims[key].is_held]
            if self._files[first].claims[key].is_held and sound:
                self._claimants[key] = paths = (sound[0], *(path for path in paths if path != sound[0]))
        (self._contested.add if len(paths) > 1 else self._contested.discard)(key)
        claim = self._files[paths[0]].claims[key]
        used = self._builder.put(key, claim.object)
        if used is not claim.object:
            origin = claim.object.meta.origin
            place(used.meta.origin, origin.file, claim.line, origin.offsets)
            self._files[paths[0]].claims[key] = claim._replace(object=used)

    def _count_ignored(self, old: FileState | None, new: FileState | None) -> None:
        before = old.ignored_kinds if old else frozenset()
        after = new.ignored_kinds if new else frozenset()
        for kind in before - after:
            self._ignored[kind] -= 1
            if not self._ignored[kind]:
                del self._ignored[kind]
        for kind in after - before:
            self._ignored[kind] = self._ignored.get(kind, 0) + 1

    def _commit(self) -> DirectoryState:
        """Make a state of what is known now; the same one if nothing differs."""
        before = self._state
        now = DirectoryState(
            snapshot=self._builder.build(),
            mistakes=tuple(sorted(self._mistakes(), key=lambda item: (item.file, item.line, item.field, item.message))),
            ignored_kinds=tuple(sorted(self._ignored)),
            files=len(self._files),
            version=before.version,
        )
        same_rest = (now.mistakes, now.ignored_kinds, now.files) == (
            before.mistakes,
            before.ignored_kinds,
            before.files,
        )
        if now.snapshot is not before.snapshot or not same_rest:
            self._state = replace(now, version=before.version + 1)
        return self._state

    def _mistakes(self) -> Iterator[Mistake]:
        yield from self._root_mistakes
        for path in self._faulty:
            yield from self._files[path].mistakes
        for key in self._contested:
            winner, *others = self._claimants[key]
            known = self._files[winner].claims[key].object
            for path in others:
                claim = self._files[path].claims[key]
                if not claim.is_held:
                    yield duplicate(key, claim, known)


def check_paths(paths: Sequence[Path], config_namespace: str = DEFAULT_CONFIG_NAMESPACE) -> DirectoryState:
    """Read files and folders once; raises ConfigError naming a path that cannot be looked at at all."""
    for path in paths:
        try:
            scan(path)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    return ManifestStore(paths, config_namespace=config_namespace).rescan()
