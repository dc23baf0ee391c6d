"""``python -m frrsync.lab.fetch URL``: requests, each over a connection of its own, and who answered them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request: what came back, or why nothing did, and after how many milliseconds."""

    ok: bool
    text: str
    milliseconds: float


def fetch(url: str, *, timeout: float = 1.0) -> Answer:
    """Ask once over a new connection."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"found {url!r}, allowed is an URL such as http://198.51.100.1/ or http://[2001:db8::1]/")
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    started = time.monotonic()
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        text, ok = response.read().decode("utf-8", "replace").strip(), response.status == 200
    except (OSError, HTTPException) as error:
        text, ok = str(error) or type(error).__name__, False
    finally:
        connection.close()
    return Answer(ok=ok, text=text, milliseconds=round((time.monotonic() - started) * 1000, 1))


def fetch_many(url: str, *, count: int, interval: float = 0.0, timeout: float = 1.0) -> Iterator[Answer]:
    """Ask again and again; a count of 0 means for ever."""
    number = 0
    while count == 0 or number < count:
        if number and interval:
            time.sleep(interval)
        yield fetch(url, timeout=timeout)
        number += 1


def _say(line: str) -> None:
    """Print at once: somebody may be watching through a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Print every answer as it comes, then who answered how often; exit code 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m frrsync.lab.fetch", description=__doc__)
    parser.add_argument("url", help="such as http://198.51.100.1/ or http://[2001:db8:5e::1]/")
    parser.add_argument("-n", "--count", type=int, default=1, help="how often; 0: until stopped (%(default)s)")
    parser.add_argument("--interval", type=float, default=0.0, help="seconds between two requests (%(default)s)")
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds to wait for an answer (%(default)s)")
    parser.add_argument("--output", choices=("text", "json", "summary"), default="text", help="json: one line each")
    given = parser.parse_args()
    answered: Counter[str] = Counter()
    failed = 0
    try:
        for answer in fetch_many(given.url, count=given.count, interval=given.interval, timeout=given.timeout):
            answered[answer.text if answer.ok else "failed"] += 1
            failed += not answer.ok
            if given.output == "json":
                _say(json.dumps(asdict(answer)))
            elif given.output == "text":
                _say(f"{answer.text}  {answer.milliseconds:.1f} ms")
    except KeyboardInterrupt:
        pass  # the expected end of a count of 0
    if given.output == "summary":
        _say(", ".join(f"{name} {times}" for name, times in sorted(answered.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
