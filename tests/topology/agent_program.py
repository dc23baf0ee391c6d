"""The agent program beside a real FRR, started in any way a test wants: its log, its status, its peers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from frrsync.api.client import AgentClient
from frrsync.errors import FrrsyncError
from instruments import documents
from instruments.documents import key_of
from instruments.node import NAME, SPEAKERS, NodeUnderTest, base

if TYPE_CHECKING:
    from collections.abc import Callable

    from frrsync.lab.rootfs import FrrVersion
    from instruments.documents import Document, ManifestFolder
    from instruments.observe import Event

SECONDS = 15.0
"""How long anything may take before a test fails; the machine may be busy."""
POOL = documents.pool("alpha", "203.0.113.0/24")
EVERYTHING = documents.advertisement("everything")


def web(number: int) -> Document:
    """Return a Service with the address 203.0.113.NUMBER."""
    return documents.service(f"w{number}", annotations={"metallb.io/loadBalancerIPs": f"203.0.113.{number}"})


def here(number: int) -> Document:
    """Return the endpoints of that Service, on this node."""
    return documents.endpoint_slice(f"w{number}", [documents.endpoint(NAME, "10.244.0.1")])


class Program:
    """One run of the program."""

    def __init__(self, arguments: list[str], log: Path, client: AgentClient) -> None:
        self._log = log
        self._client = client
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - ours
                [sys.executable, "-m", "frrsync", *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return what was logged, or the events of one name."""
        lines = self.text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in found if not name or event["event"] == name]

    def text(self) -> str:
        """Return the whole log."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def status(self) -> dict[str, Any]:
        """Return the status document; empty while nobody answers."""
        try:
            return self._client.status()
        except FrrsyncError:
            return {}

    def problems(self) -> dict[str, str]:
        """Return what the status says is wrong, by code."""
        return {problem["code"]: problem["message"] for problem in self.status().get("problems", ())}

    def answers(self) -> str:
        """Return everything that the local API says, in one text."""
        calls = (self._client.status, self._client.desired, self._client.running, self._client.diff)
        found = [json.dumps(call()) for call in calls]
        return "\n".join([*found, json.dumps(self._client.vtysh("show running-config"))])

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        self.process.wait(SECONDS)

    def stop(self) -> None:
        """End the program whatever its state."""
        if self.process.poll() is None:
            try:
                self.end()
            except subprocess.TimeoutExpired:
                self.end(signal.SIGKILL)

    def cpu_seconds(self) -> float:
        """Return the processor time used so far, exactly: /proc/PID/stat misses what is shorter than a tick."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks) / 1e9

    def resident_mib(self) -> float:
        """Return the resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class AgentBench:
    """A node whose FRR and peers stay, while agents come and go."""

    def __init__(self, path: Path, version: FrrVersion) -> None:
        self._path = path
        self._runs = 0
        self._programs: list[Program] = []
        self.node = NodeUnderTest(path, version, "sockets")

    def __enter__(self) -> Self:
        """Start FRR and the peers."""
        self.node.__enter__()
        return self

    def __exit__(self, *unused: object) -> None:
        """End everything."""
        self.stop()
        self.node.__exit__(*unused)

    @property
    def folder(self) -> ManifestFolder:
        """Return the manifests."""
        return self.node.folder

    def fill(self, *found: Document) -> None:
        """Have exactly the node, its peers, a pool and these manifests in the folder."""
        wanted = [*base(), POOL, EVERYTHING, *found]
        self.folder.path.mkdir(exist_ok=True)
        self.folder.put(*wanted)
        keys = {key_of(document) for document in wanted}
        self.folder.remove(*[key for key in self.folder.documents if key not in keys])

    def start(self, *options: str, command: str = "run") -> Program:
        """Start a program on the folder; nothing is waited for."""
        self._runs += 1
        node = self.node
        arguments = [command, "--manifests", str(self.folder.path), "--state-dir", str(node.state)]
        if command != "controller":
            arguments += ["--guard-percent", "100"]  # tests empty the folder as they like; the guard has its own
            arguments += ["--node", NAME, "--run-dir", str(node.run), "--vty-dir", str(node.frr.run_dir)]
            arguments += ["--vtysh", str(node.frr.vtysh_path)]
        log = self._path / f"{command}{self._runs}.log"
        client = AgentClient(node.run / f"agent-{NAME}.sock", timeout_seconds=SECONDS)
        program = Program([*arguments, *options], log, client)
        self._programs.append(program)
        return program

    def stop(self) -> None:
        """End every program that runs."""
        while self._programs:
            self._programs.pop().stop()

    # --- what the peers see

    def events(self) -> list[Event]:
        """Return what the peers were sent since the last look."""
        return [event for event in self.node.listener.follow() if event.announced or event.withdrawn]

    def announced(self, peer: str = "tor1") -> set[int]:
        """Return the numbers of the Services that a peer has."""
        self.node.listener.follow()
        found = self.node.listener.tables[peer]
        return {int(prefix.removesuffix("/32").rpartition(".")[2]) for prefix in found}

    def is_up(self) -> bool:
        """Say whether every session is up."""
        self.node.listener.follow()
        return len(self.node.listener.up) == len(SPEAKERS)

    def sessions(self) -> dict[str, int]:
        """Return the serial number of every session: a reset changes it."""
        return {name: entry["session"] for name, entry in self.node.listener.sessions().items() if entry["up"]}

    def wait(self, condition: Callable[[], object], what: str, seconds: float = SECONDS) -> float:
        """Wait for something and return the seconds it took; a failure shows the newest log."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                newest = self._programs[-1] if self._programs else None
                said = f"{newest.text()[-3000:]}\n{newest.status()}" if newest else ""
                raise AssertionError(f"expected within {seconds:g} s: {what}\n{said}")
            time.sleep(0.01)
        return time.monotonic() - began

    def wait_announced(self, *numbers: int, seconds: float = SECONDS) -> float:
        """Wait until exactly these Services are at the IPv4 peers, with all sessions up."""
        wanted = set(numbers)
        return self.wait(
            lambda: self.is_up() and all(self.announced(peer) == wanted for peer in ("tor1", "tor2", "inner")),
            f"Services {sorted(wanted)} at every peer, found {self.announced()}",
            seconds,
        )

    def settle(self, seconds: float = 1.3) -> None:
        """Wait until the peers have been sent nothing for a while.

        FRR 8.4 sends a prefix twice, unchanged, when a route-map of its neighbor is younger than the
        delay timer (1 s).
        """
        last = time.monotonic()
        while time.monotonic() - last < seconds:
            if self.events():
                last = time.monotonic()
            time.sleep(0.02)

    def assert_quiet(self, seconds: float, what: str) -> None:
        """Fail if a peer is sent anything in this time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.events()
            assert not found, f"expected {what}, found {found}"
            time.sleep(0.02)

    def ready(self, *options: str, numbers: tuple[int, ...] = (1, 2, 3)) -> Program:
        """Start an agent that announces these Services and wait until all is well."""
        self.fill(*[part for number in numbers for part in (here(number), web(number))])
        program = self.start(*options)
        self.wait_announced(*numbers)
        self.wait(lambda: program.status().get("ok"), "status ok")
        return program

    @contextlib.contextmanager
    def untouched(self) -> Any:
        """Fail if a session was reset meanwhile."""
        before = self.sessions()
        yield
        after = self.sessions()
        assert after == before, f"expected the sessions {before}, found {after}"
