"""The test's side of the BGP listener: start it, follow its log, keep a mirror of the tables."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from instruments.route import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instruments.route import Table, Tables

_TESTS = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerConfig:
    """One passive BGP speaker of the listener, named as the BGPPeer that connects to it."""

    name: str
    address: str
    asn: int
    router_id: str
    hold_time: int = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the log.

    Attributes:
        time: CLOCK_MONOTONIC, seconds.
        kind: ``connect``, ``open``, ``up``, ``update``, ``end-of-rib``, ``refresh-received``,
            ``notification-received``, ``notification-sent`` or ``down``.
        session: serial number of the peer's session.
        route: of the announced prefixes of an update.
        detail: everything else of the line.

    """

    time: float
    peer: str
    kind: str
    session: int
    announced: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    route: Route | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def route_of(attributes: dict[str, Any]) -> Route:
    """Turn attributes of the wire into a route; what no model asks for ends in ``unexpected``."""
    hops = attributes.get("next_hop", [])
    unexpected = [f"attribute {code}={value}" for code, value in attributes.get("other", {}).items()]
    if attributes.get("origin") != "igp":
        unexpected.append(f"origin {attributes.get('origin')}")
    if not hops:
        unexpected.append("no next hop")
    return Route(
        as_path=tuple(attributes.get("as_path", ())),
        next_hop_family=6 if hops and ":" in hops[0] else 4,
        communities=frozenset(attributes.get("communities", ())),
        large_communities=frozenset(attributes.get("large_communities", ())),
        local_pref=attributes.get("local_pref"),
        med=attributes.get("med", 0),
        unexpected=tuple(unexpected),
    )


class ListenerProcess:
    """The listener in its namespace; use as a context manager.

    ``tables`` mirrors what each peer has, ``up`` since when its session is up, as far as :meth:`follow`
    has read the log.
    """

    def __init__(self, namespace: str, folder: Path, speakers: Sequence[SpeakerConfig]) -> None:
        self._namespace = namespace
        self._folder = folder
        self._speakers = speakers
        self._log: IO[bytes] | None = None
        self._rest = b""
        self._known: dict[str, Route] = {}
        self.tables: Tables = {speaker.name: {} for speaker in speakers}
        self.up: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Start the process and wait until its control socket answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self._folder / "updates.log"
        control = self._folder / "control.sock"
        config = {"control": str(control), "log": str(self.log_path), "speakers": [_plain(s) for s in self._speakers]}
        (self._folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        with (self._folder / "output").open("w", encoding="utf-8") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                ["ip", "netns", "exec", self._namespace, sys.executable, "-m", "instruments.listener",  # noqa: S607
                 str(self._folder / "config.json")],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ | {"PYTHONPATH": str(_TESTS)},
            )  # fmt: skip
        self._socket = self._connect(control)
        self._stream = self._socket.makefile("rwb")
        self._log = self.log_path.open("rb")
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        with contextlib.suppress(OSError, ValueError):
            self.request("quit")
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for closable in (self._stream, self._socket, self._log):
            if closable is not None:
                closable.close()

    def _connect(self, path: Path) -> socket.socket:
        deadline = time.monotonic() + 10
        while True:
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.settimeout(60)
            try:
                client.connect(str(path))
            except OSError:
                client.close()
                if time.monotonic() > deadline or self._process.poll() is not None:
                    output = (self._folder / "output").read_text(encoding="utf-8")
                    raise RuntimeError(f"the BGP listener did not start: {output}") from None
                time.sleep(0.02)
            else:
                return client

    def request(self, operation: str, **more: Any) -> Any:
        """Ask the process something; the operations are those of ``instruments.listener``."""
        self._stream.write(json.dumps({"op": operation, **more}).encode() + b"\n")
        self._stream.flush()
        return json.loads(self._stream.readline())

    def rib(self, peer: str) -> Table:
        """Return the table of a peer as the process itself holds it, independent of the log."""
        return {prefix: self._route(attributes) for prefix, attributes in self.request("rib", peer=peer).items()}

    def sessions(self) -> dict[str, dict[str, Any]]:
        """Return ``up``, ``session``, ``remote_asn`` and ``prefixes`` of every peer."""
        answer: dict[str, dict[str, Any]] = self.request("sessions")
        return answer

    def follow(self) -> list[Event]:
        """Return what happened since the last call, and bring the mirror up to date."""
        if self._log is None:
            raise RuntimeError("the BGP listener is not running")
        data = self._rest + self._log.read()
        lines = data.split(b"\n")
        self._rest = lines.pop()
        events = [self._event(json.loads(line)) for line in lines]
        for event in events:
            self._mirror(event)
        return events

    def rotate(self) -> list[Event]:
        """Return what :meth:`follow` would, then start a new log file and delete the old one."""
        old = Path(self.request("rotate"))
        events = self.follow()
        if self._log is not None:
            self._log.close()
        self._log = self.log_path.open("rb")
        old.unlink()
        return events

    def _event(self, line: dict[str, Any]) -> Event:
        announced = tuple(line.pop("announced", ()))
        withdrawn = tuple(line.pop("withdrawn", ()))
        attributes = line.pop("attributes", None)
        return Event(
            time=line.pop("time"),
            peer=line.pop("peer"),
            kind=line.pop("event"),
            session=line.pop("session"),
            announced=announced,
            withdrawn=withdrawn,
            route=self._route(attributes) if announced else None,
            detail=line,
        )

    def _route(self, attributes: dict[str, Any]) -> Route:
        key = json.dumps(attributes, sort_keys=True)
        if len(self._known) > 10_000:
            self._known.clear()
        if key not in self._known:
            self._known[key] = route_of(attributes)
        return self._known[key]

    def _mirror(self, event: Event) -> None:
        table = self.tables[event.peer]
        if event.kind == "down":
            table.clear()
            self.up.pop(event.peer, None)
        elif event.kind == "up":
            self.up[event.peer] = event.time
        for prefix in event.withdrawn:
            table.pop(prefix, None)
        if event.route is not None:
            table.update(dict.fromkeys(event.announced, event.route))


def _plain(speaker: SpeakerConfig) -> dict[str, Any]:
    return {name: getattr(speaker, name) for name in SpeakerConfig.__slots__}
