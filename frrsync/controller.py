"""``frrsync controller``: allocation alone, for the agents of several nodes that share a folder and a record.

One thread owns everything; the watcher of the manifests only wakes it. A changed manifest, the periodic check
and a retry all take the same path.
"""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.core.pool import pool_mistakes
from frrsync.directory.allocation_loop import AllocationLoop
from frrsync.directory.state import OwnedRecord, check_state_dir
from frrsync.directory.store import ManifestStore
from frrsync.directory.watcher import ManifestWatcher
from frrsync.errors import ConfigError, FrrsyncError

if TYPE_CHECKING:
    from frrsync.core.model import Mistake
    from frrsync.directory.store import DirectoryState
    from frrsync.settings import Settings

RETRY_SECONDS = 1.0


def run(settings: Settings, *, stop: Event) -> None:
    """Allocate until the event is set; raises FrrsyncError when it cannot start."""
    Controller(settings).run(stop)


class Controller:
    """Keeps the record of one folder of manifests."""

    def __init__(self, settings: Settings) -> None:
        if settings.manifests is None:
            raise ConfigError("--manifests is missing; name the folder of manifests")
        check_state_dir(settings.state_dir, settings.manifests)
        self._settings = settings
        self._manifests = settings.manifests
        self._log = log.get("controller")
        self._wake = Event()
        self._mistakes: frozenset[Mistake] = frozenset()
        self._ignored: frozenset[str] = frozenset()

    def run(self, stop: Event) -> None:
        """Allocate until the event is set; what goes wrong meanwhile is logged and tried again."""
        store = ManifestStore([self._manifests], config_namespace=self._settings.config_namespace)
        watcher = ManifestWatcher(self._manifests, self._wake.set)
        with OwnedRecord(self._settings.state_dir) as record:
            allocation = AllocationLoop(record, load_balancer_class=self._settings.load_balancer_class)
            watcher.start()
            Thread(target=self._wake_at, args=(stop,), name="stopper", daemon=True).start()
            try:
                self._loop(stop, store, watcher, allocation)
            finally:
                watcher.stop()

    def _wake_at(self, stop: Event) -> None:
        stop.wait()
        self._wake.set()

    def _loop(self, stop: Event, store: ManifestStore, watcher: ManifestWatcher, allocation: AllocationLoop) -> None:
        # The first state comes from a pass over the whole folder: before it nobody is given an address,
        # and nobody loses one.
        everything = True
        while not stop.is_set():
            changes = watcher.drain()
            try:
                state = store.rescan() if everything or changes.everything else store.update(changes.paths)
                everything = False
                self._report(state)
                allocation.step(state)
                allocation.repair()
                pause = self._settings.check_interval
            except FrrsyncError as error:
                self._log.error("cannot_allocate", error=str(error))
                pause = RETRY_SECONDS
            except Exception:  # noqa: BLE001 - a defect of ours: logged and tried again, the addresses stay
                self._log.exception("round_failed")
                pause = self._settings.check_interval
            if not self._wake.wait(pause):
                everything = True
            self._wake.clear()

    def _report(self, state: DirectoryState) -> None:
        """Log each mistake once, when it appears and when it is gone."""
        mistakes = frozenset((*state.mistakes, *pool_mistakes(state.snapshot)))
        for mistake in sorted(mistakes - self._mistakes, key=str):
            self._log.warning(
                "mistake",
                file=mistake.file,
                line=mistake.line,
                object=f"{mistake.kind} {mistake.name}".strip(),
                field=mistake.field,
                message=mistake.message,
            )
        if self._mistakes and not mistakes:
            self._log.info("mistakes_corrected")
        ignored = frozenset(state.ignored_kinds)
        if ignored - self._ignored:
            self._log.info("kinds_ignored", kinds=sorted(ignored - self._ignored))
        self._mistakes, self._ignored = mistakes, ignored
