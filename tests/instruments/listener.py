"""A BGP listener: several passive speakers in one process that write down all they are sent.

Run as ``python -m instruments.listener CONFIG.json`` inside a network namespace; ``observe`` starts it.
The configuration holds ``control`` and ``log`` (paths) and ``speakers``: name, address, asn, router_id,
hold_time. Every UPDATE, NOTIFICATION, OPEN, session up and session down is one JSON line of the log, with
the time of CLOCK_MONOTONIC, which other processes of the host share. Only the tables stay in memory.

The control socket takes one JSON request a line: ``sync`` (log is flushed; returns the time), ``rotate``
(log goes on in a new file; returns the path of the old one), ``sessions``, ``rib``, ``refresh``, ``close``,
``quit``, and ``password`` (TCP-MD5, RFC 2385, for connections from ``remote``; empty: none).
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instruments import bgp_wire, tcp_md5

if TYPE_CHECKING:
    from collections.abc import Callable

RECEIVE_SIZE = 1 << 18
TICK_SECONDS = 0.5


@dataclass(slots=True)
class Speaker:
    """One address that accepts one session.

    Attributes:
        table: prefix to attributes of the session that is up.
        session: serial number of the session; counts from 1.

    """

    name: str
    address: str
    asn: int
    router_id: str
    hold_time: int = 180
    server: socket.socket | None = None
    password: str = ""
    connection: socket.socket | None = None
    buffer: bytes = b""
    is_up: bool = False
    remote_asn: int = 0
    session: int = 0
    agreed_hold_time: int = 180
    last_received: float = 0.0
    last_sent: float = 0.0
    table: dict[str, dict[str, Any]] = field(default_factory=dict)


class Listener:
    """All speakers, the log and the control socket in one loop."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._selector = selectors.DefaultSelector()
        self._log_path = Path(config["log"])
        self._rotations = 0
        self._log = self._log_path.open("a", encoding="utf-8")
        self._speakers = {entry["name"]: Speaker(**entry) for entry in config["speakers"]}
        self._running = True
        self._parent = os.getppid()
        for speaker in self._speakers.values():
            self._listen(speaker)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        control.bind(config["control"])
        control.listen(4)
        self._selector.register(control, selectors.EVENT_READ, lambda: self._accept_control(control))

    def run(self) -> None:
        """Serve until told to quit."""
        next_tick = time.monotonic()
        while self._running:
            for key, _ in self._selector.select(max(0.0, next_tick - time.monotonic())):
                key.data()
            self._log.flush()
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + TICK_SECONDS
                if os.getppid() != self._parent:  # the test died: do not outlive it
                    return
                for speaker in self._speakers.values():
                    self._tick(speaker)

    def _listen(self, speaker: Speaker) -> None:
        family = socket.AF_INET6 if ":" in speaker.address else socket.AF_INET
        server = socket.socket(family, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((speaker.address, 179))
        server.listen(4)
        speaker.server = server
        self._selector.register(server, selectors.EVENT_READ, lambda: self._accept(server, speaker))

    @staticmethod
    def _protect(speaker: Speaker, remote: str, password: str) -> None:
        """Ask for this password in connections that begin from now on."""
        if speaker.server is not None and password != speaker.password:
            tcp_md5.protect(speaker.server, remote, password)
            speaker.password = password

    def _write(self, speaker: Speaker, event: str, **more: Any) -> None:
        line = {"time": time.monotonic(), "peer": speaker.name, "event": event, "session": speaker.session, **more}
        self._log.write(json.dumps(line, separators=(",", ":")) + "\n")

    # --- sessions

    def _accept(self, server: socket.socket, speaker: Speaker) -> None:
        connection, remote = server.accept()
        if speaker.connection is not None:
            self._drop(speaker, f"replaced by a new connection from {remote[0]}")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(5)
        speaker.connection, speaker.buffer = connection, b""
        speaker.session += 1
        speaker.last_received = time.monotonic()
        speaker.agreed_hold_time = speaker.hold_time
        self._write(speaker, "connect", remote=remote[0])
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._receive(speaker))
        self._send(speaker, bgp_wire.open_message(speaker.asn, speaker.hold_time, speaker.router_id))

    def _send(self, speaker: Speaker, data: bytes) -> None:
        if speaker.connection is None:
            return
        try:
            speaker.connection.sendall(data)
            speaker.last_sent = time.monotonic()
        except OSError as error:
            self._drop(speaker, f"send failed: {error}")

    def _drop(self, speaker: Speaker, reason: str) -> None:
        if speaker.connection is None:
            return
        self._selector.unregister(speaker.connection)
        speaker.connection.close()
        speaker.connection = None
        speaker.is_up = False
        speaker.table.clear()
        self._write(speaker, "down", reason=reason)

    def _refuse(self, speaker: Speaker, code: int, subcode: int, reason: str) -> None:
        self._send(speaker, bgp_wire.notification(code, subcode))
        self._write(speaker, "notification-sent", code=code, subcode=subcode)
        self._drop(speaker, reason)

    def _receive(self, speaker: Speaker) -> None:
        if speaker.connection is None:
            return
        try:
            data = speaker.connection.recv(RECEIVE_SIZE)
        except OSError as error:
            self._drop(speaker, f"receive failed: {error}")
            return
        if not data:
            self._drop(speaker, "closed by the other end")
            return
        speaker.last_received = time.monotonic()
        try:
            messages, speaker.buffer = bgp_wire.split(speaker.buffer + data)
            for kind, body in messages:
                self._handle(speaker, kind, body)
        except bgp_wire.MalformedMessageError as error:
            self._refuse(speaker, error.code, error.subcode, str(error))

    def _handle(self, speaker: Speaker, kind: int, body: bytes) -> None:
        match kind:
            case bgp_wire.UPDATE:
                self._update(speaker, bgp_wire.read_update(body))
            case bgp_wire.KEEPALIVE:
                if not speaker.is_up:
                    speaker.is_up = True
                    self._write(speaker, "up", remote_asn=speaker.remote_asn)
            case bgp_wire.OPEN:
                self._opened(speaker, bgp_wire.read_open(body))
            case bgp_wire.NOTIFICATION:
                self._write(speaker, "notification-received", code=body[0], subcode=body[1], data=body[2:].hex())
            case bgp_wire.ROUTE_REFRESH:
                self._write(speaker, "refresh-received")
            case _:
                raise bgp_wire.MalformedMessageError(f"message of type {kind}", subcode=3)

    def _opened(self, speaker: Speaker, opened: bgp_wire.Open) -> None:
        speaker.remote_asn = opened.asn
        speaker.agreed_hold_time = min(speaker.hold_time, opened.hold_time)
        capabilities = {str(code): [value.hex() for value in values] for code, values in opened.capabilities.items()}
        self._write(
            speaker,
            "open",
            asn=opened.asn,
            hold_time=opened.hold_time,
            router_id=opened.router_id,
            capabilities=capabilities,
        )
        self._send(speaker, bgp_wire.message(bgp_wire.KEEPALIVE))

    def _update(self, speaker: Speaker, update: bgp_wire.Update) -> None:
        if update.end_of_rib:
            self._write(speaker, "end-of-rib", family=update.end_of_rib)
            return
        for prefix in update.withdrawn:
            speaker.table.pop(prefix, None)
        for prefix in update.announced:
            speaker.table[prefix] = update.attributes
        self._write(
            speaker, "update", withdrawn=update.withdrawn, announced=update.announced, attributes=update.attributes
        )

    def _tick(self, speaker: Speaker) -> None:
        """Keep the session alive, or end it when the other end was silent for the hold time."""
        if speaker.connection is None or not speaker.agreed_hold_time:
            return
        now = time.monotonic()
        if now - speaker.last_received > speaker.agreed_hold_time:
            self._refuse(speaker, 4, 0, f"nothing received for {speaker.agreed_hold_time} s")
        elif speaker.is_up and now - speaker.last_sent >= speaker.agreed_hold_time / 3 - TICK_SECONDS:
            self._send(speaker, bgp_wire.message(bgp_wire.KEEPALIVE))

    # --- control

    def _accept_control(self, server: socket.socket) -> None:
        connection, _ = server.accept()
        stream = connection.makefile("rwb")

        def serve() -> None:
            line = stream.readline()
            if not line:
                self._selector.unregister(connection)
                stream.close()
                connection.close()
                return
            request = json.loads(line)
            stream.write(json.dumps(self._operations()[request["op"]](request)).encode() + b"\n")
            stream.flush()

        self._selector.register(connection, selectors.EVENT_READ, serve)

    def _operations(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        return {
            "sync": lambda _: self._sync(),
            "rotate": lambda _: self._rotate(),
            "sessions": lambda _: {speaker.name: self._session(speaker) for speaker in self._speakers.values()},
            "rib": lambda request: self._speakers[request["peer"]].table,
            "refresh": lambda request: self._refresh(self._speakers[request["peer"]]),
            "password": lambda request: self._protect(
                self._speakers[request["peer"]], request["remote"], request["password"]
            ),
            "close": lambda request: self._refuse(self._speakers[request["peer"]], 6, 4, "asked to"),
            "quit": lambda _: self._quit(),
        }

    def _sync(self) -> float:
        self._log.flush()
        return time.monotonic()

    def _rotate(self) -> str:
        """Go on in a new log file, so that a run of hours can give back its space."""
        self._log.close()
        self._rotations += 1
        old = self._log_path.with_suffix(f".{self._rotations}")
        self._log_path.rename(old)
        self._log = self._log_path.open("a", encoding="utf-8")
        return str(old)

    @staticmethod
    def _session(speaker: Speaker) -> dict[str, Any]:
        return {
            "up": speaker.is_up,
            "session": speaker.session,
            "remote_asn": speaker.remote_asn,
            "prefixes": len(speaker.table),
        }

    def _refresh(self, speaker: Speaker) -> None:
        for family in (1, 2):
            self._send(speaker, bgp_wire.route_refresh(family))

    def _quit(self) -> None:
        self._running = False


def main() -> None:
    """Run with the configuration file that is the only argument."""
    Listener(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).run()


if __name__ == "__main__":
    main()
