"""Many prefixes, many peers: the first load and a change of policy, beside FRR reading the same from its file."""

from __future__ import annotations

import ipaddress
import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Self

from bench.apply import EVERYWHERE, FIRST, RACK
from bench.machines import NODE_ASN, ROUTER_ASN, cpu_seconds, memory_mib
from bench.result import Row
from bench.sink import Sink
from frrsync.core.frr_config import (
    OUTBOUND_PREFIX,
    Activation,
    AddressFamily,
    BgpRouter,
    FrrConfig,
    Neighbor,
    Network,
    OutboundEntry,
    OutboundMap,
)
from frrsync.frr.apply import Applier
from frrsync.frr.render import Renderer
from frrsync.frr.session import open_frr
from frrsync.lab.frr import NODE_OPTIONS, FrrInstance
from frrsync.lab.rootfs import installation
from frrsync.settings import Settings
from instruments.network import NODE_IPV4, Cable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion

FIRST_PEER = ipaddress.IPv4Address("10.99.0.11")
LIMIT_SECONDS = 180.0


class Node:
    """A node with an empty FRR and so many light peers; use as a context manager."""

    def __init__(self, version: FrrVersion, peers: int, folder: Path) -> None:
        self.addresses = [str(FIRST_PEER + number) for number in range(peers)]
        self._cable = Cable(self.addresses)
        self.frr = FrrInstance(
            installation(version), namespace=self._cable.node, folder=folder / f"p{peers}", options=NODE_OPTIONS
        )

    def __enter__(self) -> Self:
        """Start FRR and the peers."""
        self._cable.__enter__()
        self.frr.start()
        self.sink = Sink(self._cable.peers, ROUTER_ASN, self.addresses).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self.sink.__exit__()
        self.frr.stop()
        self._cable.__exit__()

    def restart(self) -> None:
        """Empty FRR."""
        self.frr.stop()
        self.frr.start(load=False)

    def bgpd(self) -> int:
        """Return the process of bgpd."""
        pid = self.frr.pid("bgpd")
        if pid is None:
            raise AssertionError("bgpd runs")
        return pid


def configuration(prefixes: int, peers: list[str], community: str = "64512:100") -> FrrConfig:
    """Return a node with so many prefixes, half of them in another class, for these peers."""
    networks = tuple(
        Network(prefix=f"{FIRST + number}/32", class_map=(EVERYWHERE if number % 2 else RACK).name)
        for number in range(prefixes)
    )
    outbound = OutboundMap(
        name=f"{OUTBOUND_PREFIX}{community.replace(':', '')}",
        entries=(
            OutboundEntry(sequence=10, tag=RACK.tag, description="rack", communities=(community,)),
            OutboundEntry(sequence=20, tag=EVERYWHERE.tag, description="everywhere", communities=(community,)),
        ),
    )
    family = AddressFamily(
        name="ipv4",
        networks=networks,
        activations=tuple(Activation(peer=peer, outbound_map=outbound.name) for peer in peers),
    )
    neighbors = tuple(Neighbor(peer=peer, remote_as=str(ROUTER_ASN), connect_time=1) for peer in peers)
    router = BgpRouter(asn=NODE_ASN, router_id=NODE_IPV4, neighbors=neighbors, address_families=(family,))
    return FrrConfig(class_maps=(RACK, EVERYWHERE), outbound_maps=(outbound,), routers=(router,))


def measure(version: FrrVersion, prefixes: int, peers: int, folder: Path) -> Iterator[Row]:
    """Yield the rows of one size: time to the last peer, processor time and memory of both sides."""
    common: dict[str, str | int] = {"frr": version, "prefixes": prefixes, "peers": peers}
    with Node(version, peers, folder) as node:
        with closing(open_frr(Settings(vty_dir=node.frr.run_dir, vtysh=node.frr.vtysh_path), timeout=300)) as frr:
            applier, renderer = Applier(frr), Renderer(None, frr.dialect)
            first = configuration(prefixes, node.addresses)
            yield from _load(node, applier, renderer, first, common, prefixes)
            after = renderer.render(configuration(prefixes, node.addresses, "64512:200"))
            before, used, started = node.sink.counts(), time.process_time(), time.monotonic()
            applier.apply(after.tree, "bench", reread=True)
            seconds = node.sink.wait(before, prefixes, LIMIT_SECONDS) - started
            yield Row.of_samples("another community for all -> every peer", common, [seconds])
            own = (time.process_time() - used) * 1000
            yield Row(what="frrsync's processor time for it", setting=common, value=own, unit="ms")
            text = renderer.render(first).text
        yield _reference(node, text, common, prefixes)


def _load(
    node: Node, applier: Applier, renderer: Renderer, config: FrrConfig, common: dict[str, str | int], prefixes: int
) -> Iterator[Row]:
    before, used, started = node.sink.counts(), time.process_time(), time.monotonic()
    applier.apply(renderer.render(config).tree, "bench", reread=True)
    seconds = node.sink.wait(before, prefixes, LIMIT_SECONDS) - started
    own = (time.process_time() - used) * 1000
    yield Row.of_samples("first load, sessions to be made -> every peer", common, [seconds])
    yield Row(what="frrsync's processor time for it", setting=common, value=own, unit="ms")
    yield Row(what="bgpd's processor time for it", setting=common, value=cpu_seconds(node.bgpd()) * 1000, unit="ms")
    yield Row(what="memory of bgpd", setting=common, value=memory_mib(node.bgpd()), unit="MiB")
    yield Row(what="memory of frrsync's apply side", setting=common, value=memory_mib(os.getpid()), unit="MiB")


def _reference(node: Node, text: str, common: dict[str, str | int], prefixes: int) -> Row:
    """Return how long FRR takes by itself: the same text from its own file, read by vtysh at the start."""
    node.restart()
    node.frr.conf.write_text(text, "ascii")
    before, started = node.sink.counts(), time.monotonic()
    node.frr._run_vtysh(["-b"], seconds=LIMIT_SECONDS)
    seconds = node.sink.wait(before, prefixes, LIMIT_SECONDS) - started
    return Row.of_samples("reference: vtysh reads the same from a file -> every peer", common, [seconds])
