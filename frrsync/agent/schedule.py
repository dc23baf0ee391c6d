"""When the reconcile thread looks by itself: the periodic check, and retries with pauses that grow."""

from __future__ import annotations

from time import monotonic

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0


class Schedule:
    """The clock of the reconcile thread; all times are monotonic."""

    def __init__(self, check_interval: float) -> None:
        self._check_interval = check_interval
        self._check_at = monotonic() + check_interval
        self._retry_at: float | None = None
        self._pause = 0.0

    @property
    def next_at(self) -> float:
        """Return when the next look is due."""
        return self._check_at if self._retry_at is None else min(self._check_at, self._retry_at)

    def due(self) -> frozenset[str]:
        """Return what the clock asks for (``retry``, ``check``), and wind it up again whatever becomes of it."""
        now = monotonic()
        due = set()
        if self._retry_at is not None and now >= self._retry_at:
            due.add("retry")
        if now >= self._check_at:
            due.add("check")
            self._check_at = now + self._check_interval
        return frozenset(due)

    def plan_retry(self, *, is_wrong: bool, was_due: bool) -> None:
        """Try again after a pause that grows, as long as something is wrong."""
        if not is_wrong:
            self._pause, self._retry_at = 0.0, None
        elif was_due or self._retry_at is None:
            self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2 or FIRST_PAUSE_SECONDS)
            self._retry_at = monotonic() + self._pause

    def retry_at(self, moment: float) -> None:
        """Try again at this moment instead of the planned one."""
        self._retry_at = moment
