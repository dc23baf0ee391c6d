"""Advertisements that contradict each other: the older one counts where they meet, and nothing else changes."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from configuration_builders import OneNode, at, seen_by, told
from instruments import documents

if TYPE_CHECKING:
    from instruments.documents import Document

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def base(*services: str) -> list[Document]:
    """Return a pool, three internal peers, and Services with an endpoint each."""
    found = [documents.pool("main", "198.51.100.0/24", "2001:db8:1::/112")]
    for name, address in (("a", A), ("b", B), ("c", C)):
        found.append(documents.peer(name, address, my_asn=64512, peer_asn=64512, dualStackAddressFamily=True))
    for name in services or ("web",):
        found.append(documents.service(name, labels={"app": name}, families=("IPv4", "IPv6")))
        found.append(documents.endpoint_slice(name, [documents.endpoint("n1", "10.0.0.1")]))
    return found


def advertisement(name: str, when: str = "", **spec: Any) -> Document:
    """Return an advertisement, with a time stamp if there is a year."""
    found = documents.advertisement(name, **spec)
    return at(found, when) if when else found


def test_the_younger_one_is_left_out_where_they_meet_and_stays_elsewhere() -> None:
    """At the shared peer the older one alone decides; each keeps the peers that it has for itself."""
    old = advertisement("zz", "2025", localPref=100, communities=["64512:1"], peers=["a", "b"])
    young = advertisement("aa", "2026", localPref=200, communities=["64512:2"], peers=["b", "c"])
    decision = OneNode().decide(*base(), old, young)
    found = {
        address: {
            (prefix, entry.local_preference, entry.communities) for prefix, entry in seen_by(decision, address).items()
        }
        for address in (A, B, C)
    }
    prefixes = ("198.51.100.0/32", "2001:db8:1::/128")
    expected = {
        A: {(prefix, 100, ("64512:1",)) for prefix in prefixes},
        B: {(prefix, 100, ("64512:1",)) for prefix in prefixes},
        C: {(prefix, 200, ("64512:2",)) for prefix in prefixes},
    }
    assert found == expected, f"expected {expected}, found {found}"
    assert all(verdict.announced for verdict in decision.verdicts.values()), f"found {decision.verdicts}"
    text = (
        "aa.yaml:1: BGPAdvertisement metallb-system/aa: spec.localPref: left out for prefixes such as 198.51.100.0/32 "
        "at BGPPeer b: found 200, but 100 for the same prefixes in the older BGPAdvertisement zz (zz.yaml:1)"
    )
    assert told(decision.mistakes) == [text], f"expected {text}, found {told(decision.mistakes)}"


def test_a_contradiction_changes_no_network_line() -> None:
    """It is settled in outbound maps alone, so that no prefix is touched while it comes and goes."""
    node = OneNode()
    old, young = advertisement("a", localPref=100), advertisement("b", localPref=100)
    before = node.decide(*base(), old, young)
    after = node.decide(*base(), old, advertisement("b", localPref=200))
    networks = [
        [
            (router.asn, family.name, tuple(family.networks))
            for router in one.config.routers
            for family in router.address_families
        ]
        for one in (before, after)
    ]
    assert networks[0] == networks[1], f"expected {networks[0]}, found {networks[1]}"
    assert not before.mistakes, f"expected no mistake, found {told(before.mistakes)}"
    assert len(after.mistakes) == 1, f"expected one mistake, found {told(after.mistakes)}"


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ({"localPref": 100}, {}, "spec.localPref"),
        ({}, {"asPathPrepend": 1}, "spec.asPathPrepend"),
        ({"asPathPrepend": 2}, {"asPathPrepend": 1}, "spec.asPathPrepend"),
        ({"localPref": 0}, {}, None),
        ({"communities": ["no-export"]}, {"communities": ["64512:1"]}, None),
    ],
)
def test_absent_counts_as_a_value(one: dict[str, Any], other: dict[str, Any], field: str | None) -> None:
    """Only communities add up; a local preference of 0 is none."""
    decision = OneNode().decide(*base(), advertisement("a", **one), advertisement("b", **other))
    found = [mistake.field for mistake in decision.mistakes]
    assert found == ([field] if field else []), f"expected {field}, found {told(decision.mistakes)}"


def test_without_time_stamps_what_runs_stays() -> None:
    """A new file does not push out the advertisement that was there, whatever its name."""
    node = OneNode()
    running, new = advertisement("m", localPref=100), advertisement("a", localPref=200)
    for objects in ([running], [running, new], [new, running], [running, new]):
        decision = node.decide(*base(), *objects)
        found = [entry.local_preference for entry in seen_by(decision, A).values()]
        assert found == [100, 100], f"expected 100 twice, found {found}"
    decision = node.decide(*base(), new)
    assert [entry.local_preference for entry in seen_by(decision, A).values()] == [200, 200], (
        "expected the new one alone"
    )
    decision = node.decide(*base(), new, running)
    assert [entry.local_preference for entry in seen_by(decision, A).values()] == [200, 200], "expected 200 to stay"


def test_who_knows_nothing_decides_by_age_then_by_name_whatever_the_order() -> None:
    """Two nodes, or a node and frrsync check, come to the same result."""
    objects = [
        advertisement("c", "2026", localPref=1),
        advertisement("b", "2025", localPref=2),
        advertisement("a", localPref=3),
    ]
    results = {
        tuple(entry.local_preference for entry in seen_by(OneNode().decide(*base(), *order), A).values())
        for order in permutations(objects)
    }
    assert results == {(2, 2)}, f"expected the oldest one's preference 2, found {results}"


def test_service_selectors_meet_on_the_services_that_both_select() -> None:
    """Every other Service gets what its own advertisement says, and every Service is announced."""
    web = [{"matchLabels": {"app": "web"}}]
    decision = OneNode().decide(
        *base("web", "api"),
        advertisement("all", "2025", localPref=100),
        advertisement("web", "2026", localPref=200, serviceSelectors=web),
    )
    found = {prefix: entry.local_preference for prefix, entry in seen_by(decision, A).items()}
    assert set(found.values()) == {100}, f"expected 100 everywhere, found {found}"
    assert len(found) == 4, f"expected four prefixes, found {sorted(found)}"
    (mistake,) = decision.mistakes
    web_address = decision.verdicts[next(name for name in decision.verdicts if name.name == "web")].prefixes[0]
    assert web_address in mistake.message, f"expected {web_address} in {mistake}"


def test_they_meet_in_an_aggregate_of_two_services() -> None:
    """The unit is the prefix on the wire, not the Service."""
    pools = [documents.pool("low", "192.0.2.0-192.0.2.200"), documents.pool("high", "192.0.2.201-192.0.3.127")]
    objects = [document for document in base("web", "api") if document["kind"] != "IPAddressPool"]
    for document in objects:
        if document["kind"] == "Service":
            is_web = document["metadata"]["name"] == "web"
            document["spec"] |= {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
            document["metadata"]["annotations"] = {
                "metallb.io/loadBalancerIPs": "192.0.2.150" if is_web else "192.0.2.210"
            }
    decision = OneNode().decide(
        *objects,
        *pools,
        advertisement("low", ipAddressPools=["low"], aggregationLength=25, asPathPrepend=1),
        advertisement("high", ipAddressPools=["high"], aggregationLength=25, asPathPrepend=2),
    )
    found = {prefix: len(entry.as_path_prepend) for prefix, entry in seen_by(decision, A).items()}
    assert found == {"192.0.2.128/25": 2}, f"expected the first by name, 'high', to count, found {found}"
    assert [mistake.name for mistake in decision.mistakes] == ["metallb-system/low"], f"found {told(decision.mistakes)}"


def test_communities_that_do_not_fit_into_one_line_are_a_contradiction_too() -> None:
    """FRR takes lines of some thousand characters; half an advertisement's communities would be worse than none."""
    many = [f"large:4294967295:4294967295:{4294967000 + number}" for number in range(27)]
    decision = OneNode().decide(
        *base(), advertisement("a", communities=many), advertisement("b", communities=["large:1:2:3", "64512:1"])
    )
    entry = seen_by(decision, A)["198.51.100.0/32"]
    assert len(entry.large_communities) == 27, f"expected 27, found {len(entry.large_communities)}"
    assert not entry.communities, f"expected none of the younger one, found {entry.communities}"
    assert [(mistake.name, mistake.field) for mistake in decision.mistakes] == [
        ("metallb-system/b", "spec.communities")
    ]


def test_a_prefix_wider_than_its_pool_is_not_announced_and_the_other_family_is() -> None:
    """It would attract the traffic of other people's addresses; a pool that is gone does not make it right."""
    node, wide = OneNode(), advertisement("a", aggregationLength=8)
    decision = node.decide(*base(), wide)
    assert list(seen_by(decision, A)) == ["2001:db8:1::/128"], f"found {list(seen_by(decision, A))}"
    assert [mistake.field for mistake in decision.mistakes] == ["spec.aggregationLength"]
    without_pool = [document for document in base() if document["kind"] != "IPAddressPool"]
    decision = node.decide(*without_pool, wide)
    assert list(seen_by(decision, A)) == ["2001:db8:1::/128"], f"found {list(seen_by(decision, A))}"


def test_a_service_whose_every_prefix_is_too_wide_says_so() -> None:
    """The reason names the advertisement and the pool."""
    decision = OneNode().decide(*base(), advertisement("a", aggregationLength=8, aggregationLengthV6=32))
    (verdict,) = decision.verdicts.values()
    assert not verdict.announced, "expected the Service not to be announced"
    assert verdict.detail == "the prefixes of BGPAdvertisement a reach beyond pool main", f"found {verdict.detail!r}"
