"""TCP connections as applications have them: many short ones all the time, and some that live as long as they can.

``python -m instruments.connections serve NAME PORT`` greets with its name and repeats every line.
``python -m instruments.connections use ADDRESS PORT ...`` opens connections until SIGTERM, then prints what became
of each as one line of JSON. Every short one starts at its time, whatever became of the earlier ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from frrsync.lab import process

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frrsync.lab.device import LabDevice

TIMEOUT = 5.0
"""Seconds for a connection, and for each answer."""
PAUSE = 0.1
"""Seconds between two lines of a long-lived connection."""
_TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What became of one connection; times in seconds since the epoch.

    Attributes:
        ended: when it was closed, or when it failed.
        server: who accepted it; empty when nobody did.
        error: empty when it ended well.

    """

    is_long: bool
    started: float
    ended: float
    server: str
    error: str


class Server:
    """A server on a device, for as long as the context lasts."""

    def __init__(self, device: LabDevice, port: int) -> None:
        self._log = device.folder / "server.log"
        self._running = _start(device, self._log, "serve", device.name, str(port))

    def __enter__(self) -> Self:
        """Wait until it listens."""
        process.wait_until(lambda: "listens" in self._log.read_text("utf-8"), what=f"server ({self._log})")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def stop(self) -> None:
        """End it at once; the kernel refuses connections from then on."""
        self._running.kill()
        self._running.wait()


class User:
    """Somebody who uses a server, until :meth:`stop`."""

    def __init__(self, device: LabDevice, address: str, port: int, *, long: int = 0, interval: float = 0.02) -> None:
        self._log = device.folder / "connections.log"
        options = ("--long", str(long), "--interval", str(interval))
        self._running = _start(device, self._log, "use", address, str(port), *options)

    def __enter__(self) -> Self:
        """Return the user."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it in any case."""
        if self._running.poll() is None:
            self._running.kill()
            self._running.wait()

    def wait(self, count: int) -> None:
        """Return when so many more connections have ended."""
        already = self._ended()
        what = f"{count} connections ({self._log})"
        process.wait_until(lambda: self._ended() >= already + count, what=what, seconds=30)

    def _ended(self) -> int:
        return self._log.read_bytes().count(b"\n")

    def stop(self) -> list[Connection]:
        """Begin no more connections and return all there were, in the order of their begin."""
        self._running.send_signal(signal.SIGTERM)
        self._running.wait(TIMEOUT + 10)
        text = self._log.read_text("utf-8")
        assert self._running.returncode == 0, f"the connections ended with {self._running.returncode}: {text[-500:]}"
        return sorted((Connection(**json.loads(line)) for line in text.splitlines()), key=lambda item: item.started)


def _start(device: LabDevice, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = process.inside(device.namespace, [sys.executable, "-m", "instruments.connections", *arguments])
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {"PYTHONPATH": str(_TESTS)},
        )


# --- inside of the namespace


async def _serve(name: str, port: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(f"{name}\n".encode())
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        except OSError:
            pass  # the client left, or a router sent us somebody else's connection
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "0.0.0.0", port, backlog=1024)  # noqa: S104 - in a namespace
    sys.stdout.write(f"{name} listens\n")
    sys.stdout.flush()
    await server.serve_forever()


class _Client:
    def __init__(self, address: str, port: int) -> None:
        self._address = address
        self._port = port
        self.stop = asyncio.Event()

    async def connect(self, *, is_long: bool) -> None:
        """Open one connection, use it, and print what became of it."""
        started, server, error = time.time(), "", ""
        writer = None
        try:
            async with asyncio.timeout(TIMEOUT):
                reader, writer = await asyncio.open_connection(self._address, self._port)
                server = (await reader.readline()).decode().strip()
            await self._ask(reader, writer)
            while is_long and not self.stop.is_set():
                await asyncio.sleep(PAUSE)
                await self._ask(reader, writer)
        except (OSError, EOFError, TimeoutError) as failure:
            error = repr(failure)
        ended = time.time()
        if writer is not None:
            writer.close()
        found = Connection(is_long=is_long, started=started, ended=ended, server=server, error=error)
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        sys.stdout.flush()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(TIMEOUT):
            writer.write(b"hello\n")
            if not await reader.readline():
                raise EOFError("closed by the server")


async def _use(address: str, port: int, long: int, interval: float) -> None:
    client = _Client(address, port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, client.stop.set)
    tasks = {asyncio.create_task(client.connect(is_long=True)) for _ in range(long)}
    due = time.monotonic()
    while not client.stop.is_set():
        task = asyncio.create_task(client.connect(is_long=False))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due = max(due + interval, time.monotonic() - 1)  # no burst after the machine stood still
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*tasks)


def broken(connections: Iterable[Connection], *, is_long: bool) -> list[Connection]:
    """Return the connections of a kind that ended badly."""
    return [item for item in connections if item.error and item.is_long is is_long]


def main() -> None:
    """Read the command line and do one of the two."""
    parser = argparse.ArgumentParser(prog="python -m instruments.connections", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    serve = kinds.add_parser("serve")
    serve.add_argument("name")
    serve.add_argument("port", type=int)
    use = kinds.add_parser("use")
    use.add_argument("address")
    use.add_argument("port", type=int)
    use.add_argument("--long", type=int, default=0)
    use.add_argument("--interval", type=float, default=0.02)
    given = parser.parse_args()
    if given.kind == "serve":
        asyncio.run(_serve(given.name, given.port))
    else:
        asyncio.run(_use(given.address, given.port, given.long, given.interval))


if __name__ == "__main__":
    main()
