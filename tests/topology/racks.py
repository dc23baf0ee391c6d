"""Six nodes in three racks, each rack with its own router and AS number, all on one segment; real FRR everywhere.

Every node has a Service of its own, so a router shows by its prefixes which nodes it has.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from frrsync.api.client import AgentClient
from frrsync.lab.frr import ROUTER_OPTIONS, FrrInstance
from frrsync.lab.process import end_members
from frrsync.lab.rootfs import installation
from instruments import documents
from instruments.documents import CONFIG_NAMESPACE, ManifestFolder, key_of
from instruments.network import ip
from topology.agent_program import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.documents import Document

RACK = "topology.kubernetes.io/rack"
RACKS = ("a", "b", "c")
ROUTER_ASNS = {"a": 64701, "b": 64702, "c": 64703}
NODE_ASNS = {"a": 64601, "b": 64602, "c": 64603}
HOME = {"n1": "a", "n2": "a", "n3": "b", "n4": "b", "n5": "c", "n6": "c"}
"""The rack of every node at the beginning."""
SECONDS = 30.0
ROUTER = """\
router bgp {asn}
 bgp router-id 10.98.0.{number}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor rack peer-group
 neighbor rack remote-as external
 bgp listen range 10.98.0.0/24 peer-group rack
 bgp listen range fd98::/64 peer-group rack
 address-family ipv4 unicast
  neighbor rack activate
 exit-address-family
 address-family ipv6 unicast
  neighbor rack activate
 exit-address-family
exit
"""


def router_address(rack: str, version: int) -> str:
    """Return the address of a rack's router."""
    number = RACKS.index(rack) + 1
    return f"10.98.0.{number}" if version == 4 else f"fd98::{number}"


def node_address(node: str, version: int) -> str:
    """Return the address of a node."""
    number = 10 + int(node[1:])
    return f"10.98.0.{number}" if version == 4 else f"fd98::{number}"


def parameters(name: str, **spec: Any) -> Document:
    """Return a BGPNodeParameters; the fields of the spec by their own names."""
    metadata = {"name": name, "namespace": CONFIG_NAMESPACE}
    return {"apiVersion": "frrsync.dev/v1alpha1", "kind": "BGPNodeParameters", "metadata": metadata, "spec": spec}


def node(name: str, rack: str) -> Document:
    """Return a Node in a rack."""
    return documents.node(name, labels={RACK: rack, "kubernetes.io/hostname": name}, ip=node_address(name, 4))


def services() -> list[Document]:
    """Return a dual-stack Service of every node, announced by this node alone."""
    found = [documents.pool("all", "203.0.113.0/24", "2001:db8:a::/112"), documents.advertisement("all")]
    for name in HOME:
        number = int(name[1:])
        addresses = {"metallb.io/loadBalancerIPs": f"203.0.113.{number},2001:db8:a::{number}"}
        both = documents.service(name, policy="Local", families=("IPv4", "IPv6"), annotations=addresses)
        found += [both, documents.endpoint_slice(name, [documents.endpoint(name, f"10.244.0.{number}")])]
    return found


class Seen(NamedTuple):
    """What one router has: AS numbers by address of established sessions, and its prefixes."""

    sessions: Mapping[str, int]
    prefixes: frozenset[str]


def wanted(nodes: Mapping[str, int]) -> Seen:
    """Return what a router has that has exactly these nodes with these AS numbers."""
    numbers = [int(name[1:]) for name in nodes]
    return Seen(
        {node_address(name, version): asn for name, asn in nodes.items() for version in (4, 6)},
        frozenset([*(f"203.0.113.{n}/32" for n in numbers), *(f"2001:db8:a::{n}/128" for n in numbers)]),
    )


class Racks:
    """The network, nine FRRs and six agents; a context."""

    def __init__(self, path: Path, versions: Sequence[FrrVersion]) -> None:
        stem = f"frrsync-rk{os.getpid()}"
        self._stack = contextlib.ExitStack()
        self._path = path
        self._lan = f"{stem}-lan"
        self.folder = ManifestFolder(path / "m", path / "staging")
        self.routers = {
            rack: FrrInstance(
                installation(versions[number % len(versions)]),
                namespace=f"{stem}-{rack}",
                folder=path / rack,
                daemons=("zebra", "bgpd"),
                options=ROUTER_OPTIONS,
            )
            for number, rack in enumerate(RACKS)
        }
        self.nodes = {
            name: FrrInstance(
                installation(versions[number % len(versions)]),
                namespace=f"{stem}-{name}",
                folder=path / name,
                daemons=("zebra", "bgpd"),
            )
            for number, name in enumerate(HOME)
        }
        self.agents: dict[str, Program] = {}

    def __enter__(self) -> Self:
        """Make the network and start FRR everywhere; agents come later."""
        with contextlib.ExitStack() as stack:
            self._add_namespace(self._lan, stack)
            ip("-n", self._lan, "link", "add", "lan", "type", "bridge")
            ip("-n", self._lan, "link", "set", "lan", "up")
            for rack, router in self.routers.items():
                self._attach(router, rack, [router_address(rack, version) for version in (4, 6)], stack)
                router.prepare()
                text = ROUTER.format(asn=ROUTER_ASNS[rack], number=RACKS.index(rack) + 1)
                router.conf.write_text(text, "utf-8")
            for name, frr in self.nodes.items():
                self._attach(frr, name, [node_address(name, version) for version in (4, 6)], stack)
            for frr in (*self.routers.values(), *self.nodes.values()):
                frr.start()
            stack.callback(self._end_agents)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stack.close()

    @staticmethod
    def _add_namespace(name: str, stack: contextlib.ExitStack) -> None:
        ip("netns", "add", name)
        stack.callback(ip, "netns", "delete", name)
        stack.callback(end_members, [name])
        ip("-n", name, "link", "set", "lo", "up")

    def _attach(self, frr: FrrInstance, name: str, addresses: list[str], stack: contextlib.ExitStack) -> None:
        """Make the namespace of a device and plug it into the segment."""
        self._add_namespace(frr.namespace, stack)
        ends = ["netns", frr.namespace, "type", "veth", "peer", "name", name, "netns", self._lan]
        ip("link", "add", "eth0", *ends)
        for address in addresses:
            given = [f"{address}/64", "nodad"] if ":" in address else [f"{address}/24"]
            ip("-n", frr.namespace, "address", "add", *given, "dev", "eth0")
        ip("-n", frr.namespace, "link", "set", "eth0", "up")
        ip("-n", self._lan, "link", "set", "dev", name, "master", "lan", "up")

    # --- nodes

    def start_agents(self) -> None:
        """Start the agent of every node."""
        for name, frr in self.nodes.items():
            self.start_agent(name, frr)

    def start_agent(self, name: str, frr: FrrInstance) -> None:
        """Start the agent of one node; nothing is waited for."""
        run = self._path / "r"
        arguments = ["run", "--node", name, "--manifests", str(self.folder.path), "--run-dir", str(run)]
        arguments += ["--state-dir", str(self._path / f"state-{name}"), "--vty-dir", str(frr.run_dir)]
        arguments += ["--vtysh", str(frr.vtysh_path)]
        client = AgentClient(run / f"agent-{name}.sock", timeout_seconds=SECONDS)
        self.agents[name] = Program(arguments, self._path / f"{name}.log", client)

    def plan(self, name: str) -> subprocess.CompletedProcess[str]:
        """Return what a node would do with the folder as it is, by the command that asks its agent."""
        arguments = ["--manifests", str(self.folder.path), "--node", name, "--run-dir", str(self._path / "r")]
        arguments += ["--state-dir", str(self._path / f"state-{name}")]
        command = [sys.executable, "-m", "frrsync", "plan", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours

    def _end_agents(self) -> None:
        for program in self.agents.values():
            program.stop()

    def route(self, name: str, rack: str) -> None:
        """Make the router of a rack the default gateway of a node, in both families."""
        namespace = self.nodes[name].namespace
        for family, version in (("-4", 4), ("-6", 6)):
            ip("-n", namespace, family, "route", "replace", "default", "via", router_address(rack, version))

    def unroute(self, name: str) -> None:
        """Take the default routes of a node away."""
        for family in ("-4", "-6"):
            ip("-n", self.nodes[name].namespace, family, "route", "delete", "default")

    def put_only(self, *found: Document) -> None:
        """Have exactly these manifests in the folder."""
        self.folder.put(*found)
        keys = {key_of(document) for document in found}
        self.folder.remove(*[key for key in self.folder.documents if key not in keys])

    # --- what the routers see

    def seen(self, rack: str) -> Seen:
        """Return what a router has now."""
        frr = self.routers[rack]
        sessions: dict[str, int] = {}
        prefixes: set[str] = set()
        for family in ("ipv4", "ipv6"):
            summary = frr.json(f"show bgp {family} unicast summary json")
            for address, said in summary.get("peers", {}).items():
                if said["state"] == "Established":
                    sessions[address] = said["remoteAs"]
            prefixes.update(frr.json(f"show bgp {family} unicast json").get("routes", {}))
        return Seen(sessions, frozenset(prefixes))

    def uptimes(self, rack: str) -> dict[str, int]:
        """Return when every session of a router came up, in seconds since the epoch."""
        said = self.routers[rack].json("show bgp neighbors json")
        return {peer: one["bgpTimerUpEstablishedEpoch"] for peer, one in said.items() if isinstance(one, dict)}

    def stays(self, expected: Mapping[str, Seen], seconds: float) -> None:
        """Fail if the routers have anything else within this time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = {rack: self.seen(rack) for rack in expected}
            assert found == expected, f"expected {expected} to stay, found {found}"
            time.sleep(0.2)

    def wait_for(self, expected: Mapping[str, Seen], seconds: float = SECONDS) -> float:
        """Wait until the routers have exactly this; return the seconds it took."""
        return self.wait(
            lambda: {rack: self.seen(rack) for rack in expected} == expected,
            lambda: f"{expected}\nfound { ({rack: self.seen(rack) for rack in expected}) }",
            seconds,
        )

    def wait(self, condition: Callable[[], object], what: Callable[[], str], seconds: float = SECONDS) -> float:
        """Wait for something; a failure shows the end of every log."""
        began = time.monotonic()
        while not condition():
            ended = [name for name, program in self.agents.items() if program.process.poll() is not None]
            if ended or time.monotonic() - began > seconds:
                logs = "\n".join(f"{name}: {program.text()[-1200:]}" for name, program in self.agents.items())
                raise AssertionError(f"expected within {seconds:g} s: {what()}\nended: {ended or None}\n{logs}")
            time.sleep(0.05)
        return time.monotonic() - began
