"""What an agent knows: the objects of the folder, and the address of every Service.

Addresses come from the record that a controller keeps, or, in ``frrsync run``, from our own allocation.
Nothing counts as known before everything has been read once: an agent that starts must not withdraw what
it has not heard of yet.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from frrsync.core.allocation import Allocations
from frrsync.core.model import Snapshot
from frrsync.core.pool import pool_mistakes
from frrsync.directory.allocation_loop import AllocationLoop
from frrsync.directory.reader import is_manifest
from frrsync.directory.record_watcher import RecordWatcher
from frrsync.directory.state import OwnedRecord, check_state_dir
from frrsync.directory.store import ManifestStore
from frrsync.directory.watcher import ManifestWatcher
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from frrsync.core.allocation import Allocation, Pending
    from frrsync.core.model import IPAddressPool, Mistake, NamespacedName
    from frrsync.directory.store import DirectoryState
    from frrsync.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything that a decision reads, at one moment.

    Attributes:
        waiting_for: what has to be read before anything may be decided; empty when all is there.
        trouble: what is wrong although everything needed is there, such as a record that cannot be written.

    """

    snapshot: Snapshot = field(default_factory=Snapshot)
    allocated: Mapping[NamespacedName, Allocation] = field(default_factory=dict)
    pending: Mapping[NamespacedName, Pending] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    ignored_kinds: tuple[str, ...] = ()
    waiting_for: str = ""
    trouble: str = ""


class Addresses(Protocol):
    """Where addresses come from."""

    def read(self, state: DirectoryState) -> Allocations | None:
        """Return the addresses that hold now; None before they were read once."""


class Inputs:
    """The folder and the addresses; ``read`` is called by the reconcile thread only."""

    def __init__(self, folder: Path, store: ManifestStore, watcher: ManifestWatcher, addresses: Addresses) -> None:
        self._folder = folder
        self._store = store
        self._watcher = watcher
        self._addresses = addresses
        self._was_read = False
        self._found: Allocations | None = None
        self._pools: Mapping[str, IPAddressPool] | None = None
        self._pool_mistakes: tuple[Mistake, ...] = ()

    def read(self) -> Known:
        """Return what is known now, after reading what changed."""
        state = self._folder_state()
        if not self._was_read:
            return Known(mistakes=state.mistakes, waiting_for=f"folder {self._folder} cannot be read")
        found, trouble = self._read_addresses(state)
        if found is None:
            return Known(mistakes=state.mistakes, waiting_for="no controller has written an allocation record yet")
        if self._pools is not state.snapshot.pools:
            self._pools, self._pool_mistakes = state.snapshot.pools, pool_mistakes(state.snapshot)
        return Known(
            snapshot=state.snapshot,
            allocated=found.allocated,
            pending=found.pending,
            mistakes=(*state.mistakes, *self._pool_mistakes),
            ignored_kinds=state.ignored_kinds,
            trouble=trouble,
        )

    def _read_addresses(self, state: DirectoryState) -> tuple[Allocations | None, str]:
        """Return the addresses that hold; with a record that cannot be read or written those from before."""
        try:
            self._found = self._addresses.read(state)
        except ConfigError as error:
            if self._found is None:
                raise
            return self._found, str(error)
        return self._found, ""

    def _folder_state(self) -> DirectoryState:
        changes = self._watcher.drain()
        if not self._was_read:
            state = self._store.rescan()
            # Also a folder that vanished in this moment, or that may not be listed, was not read.
            is_unread = any(mistake.file == str(self._folder) for mistake in state.mistakes)
            self._was_read = self._folder.is_dir() and not is_unread
            return state
        if changes.everything:
            return self._store.rescan()
        return self._store.update(changes.paths) if changes.paths else self._store.state


@contextmanager
def open_inputs(settings: Settings, wake: Callable[[str], None], *, allocate: bool) -> Iterator[Inputs]:
    """Watch everything that the agent reads for as long as the context lasts."""
    if settings.manifests is None:
        raise ConfigError("no folder of manifests: give --manifests DIR")
    with ExitStack() as stack:
        if allocate:
            addresses = _own_addresses(settings, settings.manifests, stack)
        else:
            addresses = _recorded_addresses(settings, wake, stack)
        watcher = _watch(settings.manifests, "manifests", wake, stack)
        if settings.templates is not None:
            _watch(settings.templates, "templates", wake, stack, counts=_is_template)
        store = ManifestStore([settings.manifests], config_namespace=settings.config_namespace)
        yield Inputs(settings.manifests, store, watcher, addresses)


def _watch(
    folder: Path,
    cause: str,
    wake: Callable[[str], None],
    stack: ExitStack,
    *,
    counts: Callable[[str], bool] = is_manifest,
) -> ManifestWatcher:
    watcher = ManifestWatcher(folder, lambda: wake(cause), counts=counts)
    watcher.start()
    stack.callback(watcher.stop)
    return watcher


def _is_template(name: str) -> bool:
    """Say whether a file may be a template: templates include files of any name, but no editor's backups."""
    return not name.startswith((".", "#")) and not name.endswith("~")


class _OwnAddresses:
    """Addresses that this program hands out itself, with the record written before they are used."""

    def __init__(self, allocation: AllocationLoop) -> None:
        self._allocation = allocation

    def read(self, state: DirectoryState) -> Allocations | None:
        """Return the addresses for this state of the folder."""
        found = self._allocation.step(state)
        self._allocation.repair()
        return found


class _RecordedAddresses:
    """Addresses that a controller hands out; what waits for one is in the controller's log."""

    def __init__(self, watcher: RecordWatcher) -> None:
        self._watcher = watcher
        self._last: Allocations | None = None

    def read(self, _state: DirectoryState) -> Allocations | None:
        """Return the addresses of the record, the same object while it is the same."""
        record = self._watcher.read()
        if record is None:
            return None
        if self._last is None or self._last.allocated is not record:
            self._last = Allocations(allocated=record, pending={})
        return self._last


def _own_addresses(settings: Settings, manifests: Path, stack: ExitStack) -> Addresses:
    check_state_dir(settings.state_dir, manifests)
    record = stack.enter_context(OwnedRecord(settings.state_dir))
    return _OwnAddresses(AllocationLoop(record, load_balancer_class=settings.load_balancer_class))


def _recorded_addresses(settings: Settings, wake: Callable[[str], None], stack: ExitStack) -> Addresses:
    watcher = RecordWatcher(settings.state_dir, lambda: wake("addresses"))
    watcher.start()
    stack.callback(watcher.stop)
    return _RecordedAddresses(watcher)
