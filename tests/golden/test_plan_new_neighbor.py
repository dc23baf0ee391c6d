"""How a new neighbor comes up: one connect, and never a prefix that it is not meant to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from frrsync.core.frr_config import (
    Activation,
    AddressFamily,
    BgpRouter,
    ClassMap,
    FrrConfig,
    Neighbor,
    Network,
    OutboundEntry,
    OutboundMap,
)
from frrsync.frr.apply import Applier
from frrsync.frr.render import Renderer
from frrsync.frr.session import open_frr
from frrsync.lab.frr import FrrInstance
from frrsync.lab.process import end_members
from frrsync.lab.rootfs import installation
from frrsync.settings import Settings
from instruments.network import Cable
from instruments.observe import ListenerProcess, SpeakerConfig
from topology.bare_frr import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.observe import Event

    Listened = tuple[Applier, Renderer, ListenerProcess]

pytestmark = pytest.mark.frr

OWN = ClassMap(name="frrsync-class-00000001", tag=1, description="own")
FOREIGN = ClassMap(name="frrsync-class-00000002", tag=2, description="foreign")
MAY_SEE_OWN = OutboundMap(
    name="frrsync-out-own", entries=(OutboundEntry(sequence=1, tag=OWN.tag, description="own", communities=("1:1",)),)
)
MAY_SEE_FOREIGN = OutboundMap(
    name="frrsync-out-foreign", entries=(OutboundEntry(sequence=1, tag=FOREIGN.tag, description="foreign"),)
)
OWN_PREFIXES = {"ipv4": [f"203.0.113.{host}/32" for host in range(20)], "ipv6": [f"2001:db8:1::{n}/128" for n in "12"]}
FOREIGN_PREFIXES = {"ipv4": ["198.51.100.1/32"], "ipv6": ["2001:db8:2::1/128"]}
OLD = SpeakerConfig(name="old", address="10.99.0.10", asn=65010, router_id="10.99.0.10")
NEW = (
    SpeakerConfig(name="outer", address="10.99.0.11", asn=65011, router_id="10.99.0.11"),
    SpeakerConfig(name="inner", address="10.99.0.12", asn=64512, router_id="10.99.0.12"),
    SpeakerConfig(name="six", address="fd99::13", asn=65013, router_id="10.99.0.13"),
)


def _announcing(speakers: tuple[SpeakerConfig, ...], *, swapped: bool = False) -> FrrConfig:
    """Return a node with these neighbors; the old one sees foreign prefixes, the new ones their own.

    ``swapped`` gives a foreign prefix to the own class and one of its own to the foreign class.
    """
    neighbors = tuple(
        Neighbor(
            peer=speaker.address,
            remote_as=str(speaker.asn),
            connect_time=1,
            ebgp_multihop=None if speaker.asn == 64512 else 3,
            update_source="fd99::1" if ":" in speaker.address else "10.99.0.1",
            description=speaker.name,
        )
        for speaker in speakers
    )
    families = []
    for family in ("ipv4", "ipv6"):
        networks = [(prefix, OWN) for prefix in OWN_PREFIXES[family]]
        networks += [(prefix, FOREIGN) for prefix in FOREIGN_PREFIXES[family]]
        if swapped:
            networks[0], networks[-1] = (networks[0][0], FOREIGN), (networks[-1][0], OWN)
        families.append(
            AddressFamily(
                name=family,
                networks=tuple(Network(prefix=prefix, class_map=item.name) for prefix, item in networks),
                activations=tuple(
                    Activation(
                        peer=speaker.address,
                        outbound_map=(MAY_SEE_FOREIGN if speaker is OLD else MAY_SEE_OWN).name,
                    )
                    for speaker in speakers
                ),
            )
        )
    instance = BgpRouter(asn=64512, router_id="10.99.0.1", neighbors=neighbors, address_families=tuple(families))
    return FrrConfig(class_maps=(OWN, FOREIGN), outbound_maps=(MAY_SEE_FOREIGN, MAY_SEE_OWN), routers=(instance,))


@pytest.fixture(scope="module")
def listened(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listened]:
    """Provide a node's FRR and a listener that is all of its neighbors."""
    folder: Path = tmp_path_factory.mktemp("p")
    speakers = (OLD, *NEW)
    with Cable([speaker.address for speaker in speakers]) as cable:
        node = FrrInstance(installation(frr_version), namespace=cable.node, folder=folder / "f")
        node.start()
        frr = open_frr(Settings(vty_dir=node.run_dir, vtysh=node.vtysh_path))
        with ListenerProcess(cable.peers, folder / "l", speakers) as listener:
            yield Applier(frr), Renderer(None, frr.dialect), listener
        frr.close()
        end_members([cable.node])


def test_a_new_neighbor_connects_once_and_sees_only_what_it_is_meant_to(
    listened: Listened,
) -> None:
    """Three at once, over both families, while prefixes change their class in the same plan; twice."""
    applier, renderer, listener = listened
    own = {family: set(prefixes) for family, prefixes in OWN_PREFIXES.items()}
    swapped_own = {family: (own[family] - {OWN_PREFIXES[family][0]}) | {FOREIGN_PREFIXES[family][-1]} for family in own}
    for swapped, expected in ((False, own), (True, swapped_own)):
        applier.apply(renderer.render(_announcing((OLD,), swapped=not swapped)).tree, "alone", reread=True)
        wait_until(lambda: _holds(listener, OLD, 2), "the old neighbor to have the foreign prefixes", seconds=15)
        listener.follow()
        before = listener.sessions()[OLD.name]["session"]
        result = applier.apply(renderer.render(_announcing((OLD, *NEW), swapped=swapped)).tree, "together", reread=True)
        assert result.resets == (), f"expected no reset, the plan says {result.resets}"
        wanted = expected["ipv4"] | expected["ipv6"]
        events: list[Event] = []

        def arrived(events: list[Event] = events, wanted: set[str] = wanted) -> bool:
            events += listener.follow()
            return all(set(listener.rib(speaker.name)) == wanted for speaker in NEW)

        wait_until(arrived, f"every new neighbor to have {sorted(wanted)}", seconds=15)
        events += listener.follow()
        for speaker in NEW:
            mine = [event for event in events if event.peer == speaker.name]
            connects = [event.kind for event in mine if event.kind in {"connect", "down"}]
            assert connects == ["connect"], f"{speaker.name}: expected one connect, found {connects}"
            leaked = {prefix for event in mine for prefix in event.announced} - wanted
            assert not leaked, f"{speaker.name}: expected {sorted(wanted)} only, was also sent {sorted(leaked)}"
        assert listener.sessions()[OLD.name]["session"] == before, "expected the old session to stay"


def _holds(listener: ListenerProcess, speaker: SpeakerConfig, count: int) -> bool:
    return len(listener.rib(speaker.name)) == count
