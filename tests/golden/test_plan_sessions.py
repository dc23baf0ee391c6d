"""What a plan says about sessions, on established sessions of a real FRR."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from golden.session_pair import SessionPair

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from frrsync.lab.rootfs import FrrVersion
    from golden.session_pair import Session


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


def test_another_router_id_costs_every_session(pair: SessionPair) -> None:
    """Together with settings that cost one too it is still one for each.

    All sessions come back at the same moment and both ends dial; of two connections that meet, FRR 8.4 now and
    then closes the one that is up already (RFC 4271, 6.8). So a second loss of few neighbors is not the plan's.
    """
    before = pair.sessions()
    pair.router["router_id"] = "192.0.2.12"
    pair.neighbors[GONE] = replace(pair.neighbors[GONE], ebgp_multihop=3, update_source="eth0")
    said = {reset.peer for reset in pair.apply().resets}
    assert said == {f"10.99.{number}.2" for number in pair.neighbors}, f"expected all to be announced, found {said}"
    lost = pair.lost_since(before)
    assert lost.keys() == set(pair.neighbors), f"expected every session to be lost, found {lost}"
    assert max(lost.values()) <= 2, f"expected one loss each and few second ones, found {lost}"
    assert sum(lost.values()) <= len(lost) + 3, f"expected one loss each and few second ones, found {lost}"
