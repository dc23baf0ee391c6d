"""Two real FRRs, a node under plans and its peer, with one session for each of many subnets of one cable."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from frrsync.core.frr_config import (
    Activation,
    AddressFamily,
    BfdProfileConfig,
    BgpRouter,
    ClassMap,
    FrrConfig,
    Neighbor,
    Network,
    OutboundEntry,
    OutboundMap,
)
from frrsync.frr.apply import Applier
from frrsync.frr.plan import Daemon
from frrsync.frr.render import Renderer
from frrsync.frr.session import open_frr
from frrsync.lab.frr import FrrInstance
from frrsync.lab.process import end_members
from frrsync.lab.rootfs import installation
from frrsync.settings import Settings
from instruments.network import Cable, ip
from topology.bare_frr import wait_until

if TYPE_CHECKING:
    from frrsync.frr.plan import Plan
    from frrsync.lab.rootfs import FrrVersion

NODE_ASN, PEER_ASN = 64512, 64520
CLASS = ClassMap(name="frrsync-class-00000001", tag=1, description="all")
MAPS = tuple(
    OutboundMap(
        name=f"frrsync-out-{number}",
        entries=(OutboundEntry(sequence=1, tag=CLASS.tag, description="all", communities=(f"64512:{number}",)),),
    )
    for number in (1, 2)
)
PREFIXES = {"ipv4": "203.0.113.1/32", "ipv6": "2001:db8:9::1/128"}
_CLOCK_STEP = 2  # FRR computes the epoch of a session from its age in whole seconds


class Session(NamedTuple):
    """One session as the node's FRR counts it."""

    state: str
    dropped: int
    since: int


class SessionPair:
    """Sessions ``number`` = 1 to ``count``, from 10.99.<number>.1 on the node to 10.99.<number>.2.

    Attributes:
        neighbors: what the node wants for each session; change it and call ``apply``.
        families: the families that each session carries.
        outbound: the number of each session's outbound map, 1 or 2.
        router: fields of the instance other than these.
        settings: how the node's FRR is spoken to, once it has been started.

    """

    settings: Settings

    def __init__(self, version: FrrVersion, count: int) -> None:
        self._version = version
        self._cable = Cable(())
        self._top = Path(tempfile.mkdtemp(prefix="frrsync-pair-"))
        numbers = range(1, count + 1)
        self.neighbors = {
            number: Neighbor(peer=f"10.99.{number}.2", remote_as=str(PEER_ASN), connect_time=1) for number in numbers
        }
        self.families: dict[int, tuple[str, ...]] = dict.fromkeys(numbers, ("ipv4",))
        self.outbound = dict.fromkeys(numbers, 1)
        self.router: dict[str, Any] = {}
        self.maximum_paths: int | None = None

    def __enter__(self) -> Self:
        """Start both and wait until every session is up."""
        self._top.chmod(0o755)
        self._cable.__enter__()
        for number in self.neighbors:
            for namespace, host in ((self._cable.node, 1), (self._cable.peers, 2)):
                ip("-n", namespace, "address", "add", f"10.99.{number}.{host}/24", "dev", "eth0")
        node = FrrInstance(installation(self._version), namespace=self._cable.node, folder=self._top / "node")
        self._peer = FrrInstance(
            installation(self._version), namespace=self._cable.peers, folder=self._top / "peer", options={}
        )
        self._peer.conf.parent.mkdir(parents=True)
        self._peer.conf.write_text(self._peer_conf(), "ascii")
        self._peer.start()
        node.start()
        self.settings = Settings(vty_dir=node.run_dir, vtysh=node.vtysh_path)
        self._frr = open_frr(self.settings)
        self._applier = Applier(self._frr)
        self._renderer = Renderer(None, self._frr.dialect)
        self.apply()
        self.wait_until_up()
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self._frr.close()
        end_members([self._cable.node, self._cable.peers])
        self._cable.__exit__()
        shutil.rmtree(self._top)

    def _peer_conf(self) -> str:
        hosts = [f"10.99.{number}.1" for number in self.neighbors]
        lines = [f"router bgp {PEER_ASN}", " bgp router-id 192.0.2.99", " no bgp ebgp-requires-policy"]
        for host in hosts:
            lines += [f" neighbor {host} remote-as external", f" neighbor {host} timers connect 1"]
            lines += [f" neighbor {host} passive"]  # so that only the node's own connects are counted
        lines += [" address-family ipv6 unicast", *(f"  neighbor {host} activate" for host in hosts)]
        return "\n".join((*lines, " exit-address-family", "exit", ""))

    def config(self) -> FrrConfig:
        """Return what the node wants."""
        families = tuple(
            AddressFamily(
                name=family,
                networks=(Network(prefix=prefix, class_map=CLASS.name),),
                activations=tuple(
                    Activation(peer=neighbor.peer, outbound_map=MAPS[self.outbound[number] - 1].name)
                    for number, neighbor in self.neighbors.items()
                    if family in self.families[number]
                ),
                maximum_paths=self.maximum_paths,
            )
            for family, prefix in PREFIXES.items()
            if any(family in self.families[number] for number in self.neighbors)
        )
        instance = BgpRouter(
            asn=NODE_ASN, router_id="192.0.2.11", neighbors=tuple(self.neighbors.values()), address_families=families
        )
        profiles = (BfdProfileConfig(name="fast", transmit_interval=100), BfdProfileConfig(name="slow"))
        return FrrConfig(
            class_maps=(CLASS,),
            outbound_maps=MAPS,
            bfd_profiles=profiles,
            routers=(replace(instance, **self.router),),
        )

    def apply(self) -> Plan:
        """Bring the node to what it wants; returns the plan that did it."""
        wanted = self._renderer.render(self.config()).tree
        plan = self._applier.plan(wanted)
        self._applier.apply(wanted, "test", reread=True)
        return plan

    def on_peer(self, number: int, *lines: str) -> None:
        """Configure the peer's side of a session; ``no`` in front of a line as FRR wants it."""
        prepared = []
        for line in lines:
            negation = "no " if line.startswith("no ") else ""
            prepared.append(f"{negation}neighbor 10.99.{number}.1 {line.removeprefix('no ')}")
        self._peer.vtysh("configure terminal", f"router bgp {PEER_ASN}", *prepared)

    def sessions(self) -> dict[int, Session]:
        """Return every session of the node by its number."""
        found = json.loads(self._frr.show("show bgp neighbors json", Daemon.BGPD))
        return {
            number: Session(
                found[peer]["bgpState"],
                found[peer]["connectionsDropped"],
                found[peer].get("bgpTimerUpEstablishedEpoch", 0),
            )
            for number in self.neighbors
            if (peer := f"10.99.{number}.2") in found
        }

    def wait_until_up(self) -> None:
        """Return when every session is established."""

        def down() -> dict[int, Session]:
            return {number: item for number, item in self.sessions().items() if item.state != "Established"}

        wait_until(lambda: not down(), "every session to be established", seconds=30)

    def wait_until_bfd_is_up(self, numbers: list[int]) -> None:
        """Return when the BFD sessions beside these sessions are up."""

        def up() -> set[str]:
            found = json.loads(self._frr.show("show bfd peers json", Daemon.BFDD))
            return {item["peer"] for item in found if item["status"] == "up"}

        wait_until(lambda: {f"10.99.{number}.2" for number in numbers} <= up(), f"BFD of {numbers} to be up")

    def lost_since(self, before: dict[int, Session]) -> dict[int, int]:
        """Return how many sessions were lost of those that were there before and still are; settled ones only."""
        self.wait_until_up()
        settled = time.monotonic() + 0.5
        wait_until(lambda: time.monotonic() > settled, "half a second in which nothing drops")
        self.wait_until_up()
        lost = {}
        for number, now in self.sessions().items():
            if number in before:
                count = now.dropped - before[number].dropped
                if count or abs(now.since - before[number].since) > _CLOCK_STEP:
                    # Both ends dial anew at once: FRR may drop one of two connections that meet (RFC 4271, 6.8).
                    lost[number] = 1 if count == 2 else count
        return lost
