"""``python -m frrsync.lab.demo.traffic URL...``: requests at a steady pace, whatever becomes of the earlier ones.

A client that waits for each answer asks less often just when something is wrong; its count of failures
would flatter. So every request starts at its time, in a thread of its own.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Self

from frrsync.errors import LabError
from frrsync.lab import process
from frrsync.lab.fetch import fetch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from frrsync.lab.device import Client

TIMEOUT = 5.0
"""Seconds until a request counts as failed; TCP repeats a lost SYN after 1 and 3 s (RFC 6298, section 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: when it started (seconds since the epoch), how it ended, and after how many milliseconds."""

    started: float
    ok: bool
    text: str
    milliseconds: float


class Traffic:
    """Steady requests of a client, running beside what else happens.

    ``with Traffic(client, urls) as traffic: ...; requests = traffic.stop()``.
    """

    def __init__(self, client: Client, urls: Sequence[str], *, interval: float = 0.01) -> None:
        self.record = client.folder / "traffic.json"
        self.interval = interval
        command = [sys.executable, "-m", "frrsync.lab.demo.traffic", "--interval", str(interval), *urls]
        with self.record.open("wb") as stream:
            self._running = subprocess.Popen(
                process.inside(client.namespace, command),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,  # Ctrl-C is for the demo, which ends this itself
            )

    def wait_answers(self, count: int) -> None:
        """Return when so many more requests have ended."""
        already = self._ended()
        what = f"{count} requests of the client (see {self.record})"
        process.wait_until(lambda: self._ended() >= already + count, what=what, seconds=15)

    def _ended(self) -> int:
        return self.record.read_bytes().count(b"\n")

    def stop(self) -> list[Request]:
        """Begin no more requests, wait for the answers to those on their way, and return all of them."""
        self._running.send_signal(signal.SIGTERM)
        try:
            self._running.wait(TIMEOUT + 10)
        except subprocess.TimeoutExpired as error:
            raise LabError("the client's requests did not end") from error
        text = self.record.read_text("utf-8")
        if self._running.returncode != 0:
            raise LabError(f"the client's requests ended with {self._running.returncode}: {text[-500:].strip()}")
        return sorted((Request(**json.loads(line)) for line in text.splitlines()), key=lambda item: item.started)

    def __enter__(self) -> Self:
        """Return the running traffic."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it in any case."""
        if self._running.poll() is None:
            self._running.kill()
            self._running.wait()


def _ask(url: str) -> None:
    """Ask once and print what became of it, in one write: the threads share the output."""
    started = time.time()
    answer = fetch(url, timeout=TIMEOUT)
    request = Request(started=started, ok=answer.ok, text=answer.text, milliseconds=answer.milliseconds)
    sys.stdout.write(json.dumps(asdict(request)) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Ask until SIGTERM, then wait for the last answers."""
    parser = argparse.ArgumentParser(prog="python -m frrsync.lab.demo.traffic", description=__doc__)
    parser.add_argument("urls", nargs="+", help="asked in turn, such as http://198.51.100.1/")
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between two starts (%(default)s)")
    given = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads: list[threading.Thread] = []
    due = time.monotonic()
    for url in cycle(given.urls):
        if stop.wait(max(0.0, due - time.monotonic())):
            break
        threads = [thread for thread in threads if thread.is_alive()]
        threads.append(threading.Thread(target=_ask, args=(url,)))
        threads[-1].start()
        due = max(due + given.interval, time.monotonic() - 1)  # no burst after the machine stood still
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
