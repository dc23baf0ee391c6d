"""A node under test: real FRR, the agent program, four peers, and a neighbor that must not notice."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

from frrsync.lab.frr import FrrInstance
from frrsync.lab.rootfs import installation
from instruments import documents
from instruments.documents import ManifestFolder, key_of
from instruments.network import NODE_IPV4, Cable, ip
from instruments.observe import ListenerProcess, SpeakerConfig
from instruments.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.documents import Document

NAME = "n1"
ASN = 64512
SPEAKERS = (
    SpeakerConfig(name="tor1", address="10.99.0.11", asn=65001, router_id="10.99.0.11"),
    SpeakerConfig(name="tor2", address="10.99.0.12", asn=65002, router_id="10.99.0.12"),
    SpeakerConfig(name="six", address="fd99::13", asn=4200000001, router_id="10.99.0.13"),
    SpeakerConfig(name="inner", address="10.99.0.14", asn=ASN, router_id="10.99.0.14"),
)
PEERS = tuple(speaker.name for speaker in SPEAKERS)
BFD = "fast"
YOUNG_SECONDS = 1.5
BEACON = (
    documents.pool("beacon", "192.0.2.0/24"),
    documents.advertisement("beacon", ipAddressPools=["beacon"]),
    documents.endpoint_slice("beacon", [documents.endpoint(NAME, "10.244.0.1")]),
    documents.service("beacon", annotations={"metallb.io/loadBalancerIPs": "192.0.2.1"}),
)


def base(*, bfd: bool = False) -> list[Document]:
    """Return the node and its four peers: two eBGP by IPv4, one eBGP by IPv6, one iBGP.

    ``tor2`` and ``inner`` carry both families.
    """
    found = [documents.node(NAME, labels={"rack": "r1"}, ip=NODE_IPV4)]
    for speaker in SPEAKERS:
        both = {"dualStackAddressFamily": True} if speaker.name in {"tor2", "inner"} else {}
        fast = {"bfdProfile": BFD} if bfd and speaker.name == "tor1" else {}
        found.append(documents.peer(speaker.name, speaker.address, my_asn=ASN, peer_asn=speaker.asn, **both, **fast))
    if bfd:
        found.append(documents.bfd_profile(BFD, receiveInterval=200, transmitInterval=200))
    return found


class NodeUnderTest:
    """Everything of one node, started on entry and ended on exit.

    Attributes:
        frr: the node's FRR.
        bystander: an FRR at the other end of the cable, with bfdd; nothing may touch it.
        listener: the BGP speakers at the other end of the cable.
        folder: the manifests.

    """

    def __init__(self, path: Path, version: FrrVersion, apply_with: str, *options: str) -> None:
        self.apply_with = apply_with
        self._path = path
        self._options = options
        self._stack = contextlib.ExitStack()
        self._agent: subprocess.Popen[bytes] | None = None
        self._cable = Cable([speaker.address for speaker in SPEAKERS])
        self._installation = installation(version)
        self.folder = ManifestFolder(path / "manifests", path / "staging")
        self.state = path / "state"
        self.run = path / "run"

    def __enter__(self) -> Self:
        """Start FRR and the listener; the agent is started by :meth:`start_agent`."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._cable)
            self.listener = stack.enter_context(ListenerProcess(self._cable.peers, self._path / "peers", SPEAKERS))
            self.frr = FrrInstance(self._installation, namespace=self._cable.node, folder=self._path / "frr")
            self.bystander = FrrInstance(
                self._installation, namespace=self._cable.peers, folder=self._path / "by", daemons=("zebra", "bfdd")
            )
            self.bystander.prepare()
            self.bystander.conf.write_text(
                f"bfd\n peer {NODE_IPV4} local-address 10.99.0.11\n  transmit-interval 200\n  receive-interval 200\n",
                encoding="utf-8",
            )
            for frr in (self.frr, self.bystander):
                stack.callback(frr.stop)
                frr.start()
            stack.callback(self.stop_agent)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stack.close()

    # --- the agent

    def start_agent(self, vty_dir: Path | None = None) -> None:
        """Start the program, with other sockets than FRR's own if they are named; it is not waited for."""
        command = [
            sys.executable, "-m", "frrsync", "run", "--node", NAME,
            "--manifests", str(self.folder.path), "--state-dir", str(self.state), "--run-dir", str(self.run),
            "--vty-dir", str(vty_dir or self.frr.run_dir), "--vtysh", str(self.frr.vtysh_path),
            "--apply-with", self.apply_with, "--guard-percent", "100", *self._options,
        ]  # fmt: skip
        with (self._path / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - ours

    def signal_agent(self, number: signal.Signals) -> None:
        """Send a signal to the agent and, if it is one that ends it, wait for the end."""
        assert self._agent is not None, "the agent was never started"
        self._agent.send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._agent.wait(15)

    def stop_agent(self) -> None:
        """End the agent, whatever its state."""
        if self._agent is not None and self._agent.poll() is None:
            self._agent.send_signal(signal.SIGCONT)
            self._agent.terminate()
            try:
                self._agent.wait(15)
            except subprocess.TimeoutExpired:
                self._agent.kill()
                self._agent.wait()

    def assert_agent_runs(self) -> None:
        """Fail with the end of the agent's log if it has ended."""
        assert self._agent is not None, "the agent was never started"
        code = self._agent.poll()
        assert code is None, f"the agent ended with {code}"

    def agent_log(self) -> str:
        """Return the end of the agent's log."""
        return (self._path / "agent.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a frrsync command that asks this node's agent."""
        return subprocess.run(  # noqa: S603 - ours
            [sys.executable, "-m", "frrsync", *arguments, "--run-dir", str(self.run), "--node", NAME],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    # --- what is seen

    def scenario(self) -> Scenario:
        """Begin to judge, with the manifests as they are now as the state of rest."""
        self.listener.follow()
        return Scenario(NAME, self.folder, self.state / "allocations.json", self.listener)

    def fingerprint(self) -> dict[str, object]:
        """Return what only a restart or a reset would change: processes, and the serials of the sessions."""
        sessions = {name: (entry["up"], entry["session"]) for name, entry in self.listener.sessions().items()}
        return {"frr": self.frr.pids(), "bystander": self.bystander.pids(), **sessions}

    def reset(self, kept: Sequence[Document]) -> None:
        """Leave only these manifests and wait until no peer has a route, and no session is young.

        What happens in the first seconds of a session has tests of its own.
        """
        scenario = self.scenario()
        keep = {key_of(document) for document in kept}
        scenario.apply(*kept, remove=[key for key in self.folder.documents if key not in keep])
        self._wait(scenario, lambda: not any(self.listener.tables.values()), "every table to be empty")
        # a route that comes and goes proves that what was written before has been read
        scenario.apply(*BEACON)
        self._wait(scenario, lambda: bool(self.listener.tables["tor1"]), "the beacon to be seen by tor1")
        scenario.apply(remove=[key_of(document) for document in BEACON])
        self._wait(scenario, lambda: not any(self.listener.tables.values()), "the beacon to be gone")

    def _wait(self, scenario: Scenario, condition: Callable[[], bool], what: str) -> None:
        """Wait for something while all sessions are up and old enough."""

        def holds() -> bool:
            self.assert_agent_runs()
            youngest = max(self.listener.up.values(), default=0)
            is_up = len(self.listener.up) == len(SPEAKERS) and time.monotonic() - youngest > YOUNG_SECONDS
            return is_up and condition()

        try:
            scenario.wait(holds, 20, lambda: f"expected {what}, found {self.listener.up} {self.listener.tables}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.agent_log()}") from None


def host_routes() -> str:
    """Return every route of the host, to be compared before and after."""
    return "".join(ip(family, "route", "show", "table", "all") for family in ("-4", "-6"))
