"""What a plan says about sessions, on established sessions of a real FRR; and how a new neighbor comes up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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
from golden.session_pair import SessionPair
from instruments.network import Cable
from instruments.observe import ListenerProcess, SpeakerConfig
from topology.bare_frr import wait_until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from golden.session_pair import Session
    from instruments.observe import Event

    Listened = tuple[Applier, Renderer, ListenerProcess]

pytestmark = pytest.mark.frr


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A setting of one session that comes, changes and goes, one round after the other.

    Attributes:
        rounds: fields of the neighbor for each round.
        peer: lines for the other end, right after each round.
        resets: in which rounds the plan says that it ends the session.
        is_spared: it says so for nothing.

    """

    rounds: tuple[dict[str, Any], ...]
    peer: tuple[tuple[str, ...], ...] = ()
    resets: tuple[bool, ...] = (False, False, False)
    is_spared: bool = False


_ALWAYS = (True, True, True)
CHANGES: dict[str, Change] = {
    "description": Change(rounds=({"description": "a"}, {"description": "b"}, {"description": ""})),
    "timers": Change(
        rounds=(
            {"keepalive_time": 3, "hold_time": 9},
            {"keepalive_time": 30, "hold_time": 90},
            {"keepalive_time": None, "hold_time": None},
        )
    ),
    "connect time": Change(rounds=({"connect_time": 2}, {"connect_time": 3}, {"connect_time": 1})),
    "BFD, peer without": Change(
        rounds=({"bfd_profile": "fast"}, {"bfd_profile": "slow"}, {"bfd_profile": ""}),
        resets=(False, False, True),
        is_spared=True,
    ),
    "BFD at both ends": Change(
        rounds=({"bfd_profile": "fast"}, {"bfd_profile": "slow"}, {"bfd_profile": ""}),
        peer=(("bfd",), (), ("no bfd",)),
        resets=(False, False, True),
    ),
    "nothing": Change(rounds=({}, {}, {})),
    "password": Change(
        rounds=({"password": "one"}, {"password": "two"}, {"password": ""}),
        peer=(("password one",), ("password two",), ("no password",)),
        resets=_ALWAYS,
    ),
    "update-source": Change(
        rounds=({"update_source": "10.99.8.1"}, {"update_source": "eth0"}, {"update_source": ""}), resets=_ALWAYS
    ),
    "multihop": Change(rounds=({"ebgp_multihop": 5}, {"ebgp_multihop": 6}, {"ebgp_multihop": None}), resets=_ALWAYS),
    "connected check": Change(
        rounds=({"disable_connected_check": True}, {}, {"disable_connected_check": False}),
        resets=(True, False, True),
    ),
    "local-as": Change(rounds=({"local_as": 64999}, {"local_as": 64998}, {"local_as": None}), resets=_ALWAYS),
    "graceful restart": Change(
        rounds=({"graceful_restart": True}, {"description": "x"}, {"graceful_restart": False}),
        resets=(True, False, True),
    ),
    "remote-as": Change(rounds=({"remote_as": "external"}, {}, {"remote_as": "64520"}), resets=(True, False, True)),
    "several at once": Change(
        rounds=(
            {"ebgp_multihop": 5, "update_source": "10.99.14.1", "local_as": 64998, "description": "x"},
            {"ebgp_multihop": 5, "update_source": "", "local_as": 64997, "graceful_restart": True},
            {"ebgp_multihop": None, "local_as": None, "graceful_restart": False},
        ),
        resets=_ALWAYS,
    ),
}
_NUMBERS = {name: number for number, name in enumerate(CHANGES, 1)}
SECOND_FAMILY, OTHER_FAMILY, FAMILY_AND_SETTING, OUT_MAP, GONE = range(len(CHANGES) + 1, len(CHANGES) + 6)


@pytest.fixture(scope="module")
def shared_pair(frr_version: FrrVersion) -> Iterator[SessionPair]:
    """Provide a node with a session for each change here, and a few more."""
    with SessionPair(frr_version, GONE) as pair:
        yield pair


@pytest.fixture
def pair(shared_pair: SessionPair) -> SessionPair:
    """Provide the node with all sessions up."""
    shared_pair.wait_until_up()
    return shared_pair


def _judged(
    pair: SessionPair, before: dict[int, Session], *, expected: set[int], said: set[str], spared: Collection[int] = ()
) -> None:
    assert said == {f"10.99.{number}.2" for number in expected}, f"expected resets of {expected}, the plans say {said}"
    lost, costs = pair.lost_since(before), dict.fromkeys(expected.difference(spared), 1)
    assert lost == costs, f"expected one session lost of each of {sorted(costs)}, found {lost}"


def test_a_setting_costs_the_session_once_or_not_at_all_as_the_plan_says(pair: SessionPair) -> None:
    """Every setting comes, changes and goes on a session of its own, one plan each."""
    spared = {_NUMBERS[name] for name, change in CHANGES.items() if change.is_spared}
    for step in range(3):
        pair.wait_until_bfd_is_up([_NUMBERS["BFD at both ends"]] if step else [])
        before, said, expected = pair.sessions(), set(), set()
        for name, change in CHANGES.items():
            _set(pair, name, change.rounds[step])
            said |= {reset.peer for reset in pair.apply().resets}
            if change.peer and change.peer[step]:
                pair.on_peer(_NUMBERS[name], *change.peer[step])
            if change.resets[step]:
                expected.add(_NUMBERS[name])
        _judged(pair, before, expected=expected, said=said, spared=spared)


def _set(pair: SessionPair, name: str, fields: dict[str, Any]) -> None:
    number = _NUMBERS[name]
    pair.neighbors[number] = replace(pair.neighbors[number], **fields)


def test_a_family_that_comes_or_goes_costs_the_session_once(pair: SessionPair) -> None:
    """Also together with a setting that costs it too, and when one family takes another's place."""
    for families, hops in ((("ipv4", "ipv6"), 4), (("ipv4",), None)):
        before = pair.sessions()
        pair.families[SECOND_FAMILY] = pair.families[FAMILY_AND_SETTING] = families
        pair.families[OTHER_FAMILY] = families[-1:] if hops else ("ipv4",)
        changed = replace(pair.neighbors[FAMILY_AND_SETTING], ebgp_multihop=hops)
        pair.neighbors[FAMILY_AND_SETTING] = changed
        said = {reset.peer for reset in pair.apply().resets}
        _judged(pair, before, expected={SECOND_FAMILY, OTHER_FAMILY, FAMILY_AND_SETTING}, said=said)


def test_policy_and_other_neighbors_cost_nobodys_session(pair: SessionPair) -> None:
    """Another outbound map, equal paths, multipath, forwarding state, a neighbor that goes and comes back."""
    before = pair.sessions()
    gone = pair.neighbors[GONE]
    said: set[str] = set()
    for change in (
        lambda: pair.outbound.update({OUT_MAP: 2}),
        lambda: pair.outbound.update({OUT_MAP: 1}),
        lambda: setattr(pair, "maximum_paths", 8),
        lambda: setattr(pair, "maximum_paths", None),
        lambda: pair.router.update(multipath_relax=False, preserve_fw_state=True),
        pair.router.clear,
        lambda: pair.neighbors.pop(GONE),
        lambda: pair.neighbors.update({GONE: gone}),
    ):
        change()
        said |= {reset.peer for reset in pair.apply().resets}
    del before[GONE]  # it is a new neighbor now, and counts from 0
    _judged(pair, before, expected=set(), said=said)


def test_another_router_id_costs_every_session_once(pair: SessionPair) -> None:
    """Together with settings that cost one too it is still one."""
    before = pair.sessions()
    pair.router["router_id"] = "192.0.2.12"
    pair.neighbors[GONE] = replace(pair.neighbors[GONE], ebgp_multihop=3, update_source="eth0")
    said = {reset.peer for reset in pair.apply().resets}
    _judged(pair, before, expected=set(pair.neighbors), said=said)


# A new neighbor

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
