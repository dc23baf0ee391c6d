"""When a route changed in a router's kernel: ``ip monitor``, which hears of it from the kernel at once."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Self

from frrsync.errors import LabError
from frrsync.lab import process

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

    from frrsync.lab.device import Router

_EVENT = re.compile(r"\[(?P<time>[^]]+)\] (?P<deleted>Deleted )?(?P<prefix>[0-9a-f.:]+(/\d+)?) ")
_NEXT_HOP = re.compile(r" dev (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChange:
    """A route of the kernel from a moment (seconds since the epoch) on; without next hops it is gone."""

    time: float
    prefix: str
    next_hops: frozenset[str]


class RouteWatch:
    """Everything that happens to the routes of one router while this is open."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.record = router.folder / "routes.log"
        with self.record.open("wb") as stream:
            self._running = subprocess.Popen(
                process.inside(router.namespace, ["ip", "-tshort", "-oneline", "monitor", "route"]),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC"},
            )

    def changes(self) -> list[RouteChange]:
        """Return what has happened so far."""
        if self._running.poll() is not None:
            raise LabError(f"ip monitor on {self.router.namespace} has ended: see {self.record}")
        text = self.record.read_text("utf-8")
        return [change for line in text.splitlines(keepends=True) if line.endswith("\n") and (change := _change(line))]

    def wait(self, prefix: str, next_hops: Collection[str], *, since: float, seconds: float = 15.0) -> float:
        """Wait for a route that goes to these devices and to no other; return when it became so."""
        key, wanted = str(ip_network(prefix)), frozenset(next_hops)
        found: list[RouteChange] = []

        def reached() -> bool:
            found[:] = [item for item in self.changes() if item.prefix == key and item.time >= since]
            return bool(found) and found[-1].next_hops == wanted

        what = f"{prefix} at {self.router.name} with the next hops {', '.join(sorted(wanted)) or 'none'}"
        process.wait_until(reached, what=what, seconds=seconds)
        time = found[-1].time
        for change in reversed(found):
            if change.next_hops != wanted:
                break
            time = change.time
        return time

    def __enter__(self) -> Self:
        """Return the open watch."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._running.kill()
        self._running.wait()


def _change(line: str) -> RouteChange | None:
    """Return what a line of ip monitor says; None for what is no route of a prefix, such as ``default``."""
    found = _EVENT.match(line)
    if found is None:
        return None
    time = datetime.fromisoformat(f"{found['time']}+00:00").timestamp()
    next_hops = () if found["deleted"] else _NEXT_HOP.findall(line)
    return RouteChange(time=time, prefix=str(ip_network(found["prefix"])), next_hops=frozenset(next_hops))
