"""Plans: they lead where they should, back again, and nothing leaks or breaks off on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instruments.frr_model import FrrModel

from frrsync.core.advertisement import resolve
from frrsync.core.announce import Route, Verdict
from frrsync.core.bgp import build
from frrsync.core.model import BGPAdvertisement, BGPPeer, Metadata, NamespacedName, Node, Snapshot
from frrsync.frr.diff import make_plan
from frrsync.frr.tree import difference, parse

if TYPE_CHECKING:
    from frrsync.core.frr_config import FrrConfig
    from frrsync.frr.tree import Tree

PEERS = ("192.0.2.1", "192.0.2.2", "2001:db8::3")
ADVERTISEMENTS = ("a", "b", "c")
PREFIXES = tuple(f"203.0.113.{number}/32" for number in range(5))


def _tree(config: FrrConfig) -> Tree:
    """Write a configuration as the tree that FRR would print."""
    text: list[str] = ["bgp route-map delay-timer 1", "route-map frrsync-in deny 65535"]
    for profile in config.bfd_profiles:
        text += ["bfd", f" profile {profile.name}", f"  transmit-interval {profile.transmit_interval}"]
    for item in config.class_maps:
        text += [f"route-map {item.name} permit 10", f" set tag {item.tag}"]
    for policy in config.outbound_maps:
        for entry in policy.entries:
            text += [f"route-map {policy.name} permit {entry.sequence}", f" match tag {entry.tag}"]
            text += [f" set community {' '.join(entry.communities)}"] if entry.communities else []
            text += [f" set local-preference {entry.local_preference}"] if entry.local_preference else []
        text.append(f"route-map {policy.name} deny 65535")
    for router in config.routers:
        text += [f"router bgp {router.asn}", f" bgp router-id {router.router_id}", " no bgp default ipv4-unicast"]
        for neighbor in router.neighbors:
            text += [f" neighbor {neighbor.peer} remote-as {neighbor.remote_as}"]
            text += [f" neighbor {neighbor.peer} password {neighbor.password}"] if neighbor.password else []
            text += [f" neighbor {neighbor.peer} timers connect {neighbor.connect_time}"]
            if neighbor.bfd_profile:
                text += [f" neighbor {neighbor.peer} bfd", f" neighbor {neighbor.peer} bfd profile {neighbor.bfd_profile}"]
        for family in router.address_families:
            text.append(f" address-family {family.name} unicast")
            text += [f"  network {item.prefix} route-map {item.class_map}" for item in family.networks]
            for item in family.activations:
                text += [
                    f"  neighbor {item.peer} activate",
                    f"  neighbor {item.peer} route-map frrsync-in in",
                    f"  neighbor {item.peer} route-map {item.outbound_map} out",
                ]
    return parse("\n".join(text))


advertisements = st.builds(
    lambda name, peers, communities, preference: BGPAdvertisement(
        meta=Metadata(name=name),
        peers=tuple(peers),
        communities=tuple(communities),
        local_pref=preference,
    ),
    name=st.just(""),
    peers=st.lists(st.sampled_from(("p0", "p1", "p2")), max_size=2, unique=True),
    communities=st.lists(st.sampled_from(("64512:1", "64512:2", "no-export")), max_size=2, unique=True),
    preference=st.sampled_from((None, 200)),
)


@st.composite
def configurations(draw: st.DrawFn, all_peers: bool = False) -> Tree:
    """Draw the configuration of one node: which peers, which policies, which prefixes behind which of them."""
    chosen = range(3) if all_peers else sorted(draw(st.sets(st.integers(0, 2))))
    peers = {
        f"p{number}": BGPPeer(
            meta=Metadata(name=f"p{number}"),
            my_asn=64512,
            peer_asn=64513 if number else 64512,
            peer_address=PEERS[number],
            dual_stack_address_family=number == 2,
            password="" if all_peers else draw(st.sampled_from(("", "one", "two"))),
        )
        for number in chosen
    }
    resources = []
    for name in ADVERTISEMENTS:
        item = draw(advertisements)
        resources.append(
            BGPAdvertisement(
                meta=Metadata(name=name), peers=item.peers, communities=item.communities, local_pref=item.local_pref
            )
        )
    resolved, mistakes = resolve(resources, {}, {})
    assert not mistakes
    verdicts = []
    for prefix in PREFIXES:
        names = draw(st.sets(st.sampled_from(ADVERTISEMENTS)))
        if names:
            route = Route(prefix=prefix, advertisements=tuple(sorted(names)))
            verdicts.append(Verdict(service=NamespacedName("default", prefix), routes=(route,)))
    decision = build(Snapshot(peers=peers), Node(meta=Metadata(name="n")), verdicts, resolved, maximum_paths=16)
    return _tree(decision.config)


def _follow(before: Tree, after: Tree) -> FrrModel:
    """Take every line of the plan and check after each one what neighbors see that stay."""
    model, goal = FrrModel(before), FrrModel(after)
    seen_before, seen_after = model.sent(), goal.sent()
    staying = {peer for peer, _, _ in seen_before} & {peer for peer, _, _ in seen_after}
    plan = make_plan(before, after)
    resetting = {reset.peer for reset in plan.resets}
    for command in plan.commands:
        model.send(command)
        now = model.sent()
        for key in seen_before.keys() | seen_after.keys() | now.keys():
            allowed = (seen_before.get(key), seen_after.get(key))
            assert now.get(key) in allowed or (now.get(key) is None and key[0] in resetting), (
                f"after {command}: {key} is sent as {now.get(key)}, expected one of {allowed}; plan: {plan.commands}"
            )
            if key[0] in staying - resetting and None not in allowed:
                assert key in now, f"after {command}: {key} is not sent although it was and will be"
    return model


def _assert_leads_to(before: Tree, after: Tree) -> None:
    result = _follow(before, after).tree
    missing, superfluous = difference(after, result), difference(result, after)
    assert not missing + superfluous, f"the plan leaves out {missing} and leaves behind {superfluous}"


@settings(max_examples=150, deadline=None)
@given(configurations(all_peers=True), configurations(all_peers=True))
def test_no_prefix_leaks_or_breaks_off_between_any_two_lines_and_the_way_back_works(before: Tree, after: Tree) -> None:
    """With the same neighbors, every single line keeps each neighbor at what it saw or will see."""
    _assert_leads_to(before, after)
    _assert_leads_to(after, before)


@settings(max_examples=100, deadline=None)
@given(configurations(), configurations())
def test_neighbors_come_and_go_and_the_tree_is_the_wanted_one(before: Tree, after: Tree) -> None:
    """Neighbors appear, vanish and change their password; forward and back."""
    _assert_leads_to(before, after)
    _assert_leads_to(after, before)


@settings(max_examples=50, deadline=None)
@given(configurations())
def test_from_nothing_to_a_configuration_and_back_to_nothing(tree: Tree) -> None:
    """The first load and the last withdrawal are plans like any other."""
    _assert_leads_to({}, tree)
    _assert_leads_to(tree, {})


@settings(max_examples=50, deadline=None)
@given(configurations())
def test_the_same_configuration_needs_no_plan(tree: Tree) -> None:
    """Equal trees give an empty plan, whatever the order of their lines."""
    assert not make_plan(tree, dict(reversed(tree.items())))


def _router(*lines: str) -> Tree:
    return parse("\n".join(("router bgp 64512", " neighbor 192.0.2.1 remote-as 64513", *(f" {line}" for line in lines))))


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ((), ("neighbor 192.0.2.1 description spine",), ["neighbor 192.0.2.1 description spine"]),
        (("neighbor 192.0.2.1 timers 3 9",), (), ["no neighbor 192.0.2.1 timers"]),
        (
            ("neighbor 192.0.2.1 timers 3 9", "neighbor 192.0.2.1 timers connect 5"),
            ("neighbor 192.0.2.1 timers 3 9",),
            ["no neighbor 192.0.2.1 timers connect"],
        ),
        (
            ("neighbor 192.0.2.1 bfd", "neighbor 192.0.2.1 bfd profile fast"),
            (),
            ["no neighbor 192.0.2.1 bfd"],
        ),
        (
            ("neighbor 192.0.2.1 bfd", "neighbor 192.0.2.1 bfd profile fast"),
            ("neighbor 192.0.2.1 bfd", "neighbor 192.0.2.1 bfd profile slow"),
            ["neighbor 192.0.2.1 bfd profile slow"],
        ),
        (("neighbor 192.0.2.1 password one",), ("neighbor 192.0.2.1 password two",), ["neighbor 192.0.2.1 password two"]),
        (
            ("neighbor 192.0.2.1 password one",),
            ("neighbor 192.0.2.1 password two", "neighbor 192.0.2.1 update-source 192.0.2.9"),
            [
                "neighbor 192.0.2.1 shutdown",
                "neighbor 192.0.2.1 password two",
                "neighbor 192.0.2.1 update-source 192.0.2.9",
                "no neighbor 192.0.2.1 shutdown",
            ],
        ),
    ],
)
def test_a_changed_setting_of_a_neighbor_is_sent_in_the_form_that_frr_takes(
    have: tuple[str, ...], want: tuple[str, ...], expected: list[str]
) -> None:
    """Overwritten where FRR overwrites, taken back in the short form, one bracket around two resets."""
    assert [command.line for command in make_plan(_router(*have), _router(*want)).commands] == expected
