"""What wakes the reconcile thread."""

from __future__ import annotations

from threading import Event, Lock


class Wake:
    """A flag with the causes that set it; any thread sets it, the loop clears it."""

    def __init__(self) -> None:
        self._event = Event()
        self._lock = Lock()  # guards the set of causes, which several threads add to
        self._causes: set[str] = set()

    def __call__(self, cause: str) -> None:
        """Wake the loop."""
        with self._lock:
            self._causes.add(cause)
        self._event.set()

    def wait(self, seconds: float) -> frozenset[str]:
        """Return what woke the loop; empty when the time ran out."""
        self._event.wait(max(0.0, seconds))
        with self._lock:
            self._event.clear()
            causes, self._causes = frozenset(self._causes), set()
        return causes
