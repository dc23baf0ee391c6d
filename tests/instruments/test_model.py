"""The model and the random changes that it has to explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instruments import documents, model
from instruments.churn import POOLS, Churn
from instruments.documents import key_of
from instruments.route import Route

if TYPE_CHECKING:
    from instruments.documents import Document


def world_of(*found: Document) -> dict[tuple[str, str, str], Document]:
    """Return documents by their keys, with a pool, a node and two peers."""
    base = [
        documents.pool("alpha", "203.0.113.0/24", "2001:db8:a::1-2001:db8:a::ff", labels={"tier": "a"}),
        documents.node("n1", labels={"rack": "r1"}),
        documents.peer("outer", "10.99.0.11", my_asn=64512, peer_asn=65001),
        documents.peer("inner", "10.99.0.14", my_asn=64512, peer_asn=64512, dualStackAddressFamily=True),
    ]
    return {key_of(document): document for document in (*base, *found)}


WEB = documents.service("web", labels={"class": "gold"})
READY = documents.endpoint_slice("web", [documents.endpoint("n1", "10.244.0.1")])
ADDRESSES = {"default/web": ["203.0.113.7", "2001:db8:a::7"]}


def test_the_model_announces_what_the_documentation_says() -> None:
    """Families, aggregation, aliases, large communities and local preference of one advertisement."""
    advertisement = documents.advertisement(
        "one", communities=["blue", "large:1:2:3", "64512:9"], localPref=150, aggregationLength=28
    )
    found = model.expected(
        world_of(WEB, READY, advertisement, documents.community("names", blue="65010:1")), ADDRESSES, "n1"
    )
    common = frozenset({"65010:1", "64512:9"}), frozenset({"1:2:3"})
    assert found == {
        "outer": {"203.0.113.0/28": Route((64512,), 4, *common)},
        "inner": {"203.0.113.0/28": Route((), 4, *common, 150), "2001:db8:a::7/128": Route((), 6, *common, 150)},
    }


NOBODY: dict[str, list[Document]] = {
    "no endpoint": [WEB, documents.advertisement("one")],
    "no advertisement": [WEB, READY],
    "another pool": [WEB, READY, documents.advertisement("one", ipAddressPools=["beta"])],
    "another node": [WEB, READY, documents.advertisement("one", nodeSelectors=[{"matchLabels": {"rack": "r2"}}])],
    "another Service": [
        WEB, READY, documents.advertisement("one", serviceSelectors=[{"matchLabels": {"class": "silver"}}])
    ],
    "a local policy": [
        documents.service("web", policy="Local"),
        documents.endpoint_slice("web", [documents.endpoint("n2", "10.244.0.1")]),
        documents.advertisement("one"),
    ],
    "no network": [WEB, READY, documents.advertisement("one"), documents.node("n1", network_unavailable=True)],
    "an excluded node": [
        WEB, READY, documents.advertisement("one"), documents.node("n1", labels={model.EXCLUDE_LABEL: ""})
    ],
    "no serving endpoint": [
        WEB,
        documents.endpoint_slice("web", [documents.endpoint("n1", "10.244.0.1", ready=False, serving=False)]),
        documents.advertisement("one"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", NOBODY)
def test_the_model_announces_nothing(case: str) -> None:
    """Each reason of the documentation keeps a Service from being announced."""
    found = model.expected(world_of(*NOBODY[case]), ADDRESSES, "n1")
    assert found == {"outer": {}, "inner": {}}, f"expected nothing because of {case}, found {found}"


def test_the_model_adds_up_communities_and_restricts_peers() -> None:
    """Advertisements of one prefix: communities unite, each at its own peers."""
    found = model.expected(
        world_of(
            WEB,
            documents.endpoint_slice("web", [documents.endpoint("n2", "10.244.0.1", ready=False, serving=True)]),
            documents.advertisement(
                "one", communities=["1:1"], ipAddressPoolSelectors=[{"matchLabels": {"tier": "a"}}]
            ),
            documents.advertisement("two", communities=["2:2", "no-export"], peers=["outer"]),
            documents.advertisement(
                "three", aggregationLength=24, aggregationLengthV6=64, asPathPrepend=2, peers=["inner"]
            ),
        ),
        {"default/web": ["203.0.113.7"]},
        "n1",
    )
    assert found == {
        "outer": {"203.0.113.7/32": Route((64512,), 4, frozenset({"1:1", "2:2", "65535:65281"}))},
        "inner": {
            "203.0.113.7/32": Route((), 4, frozenset({"1:1"}), local_pref=100),
            "203.0.113.0/24": Route((64512, 64512), 4, local_pref=100),
        },
    }


def test_the_model_lets_the_older_advertisement_count() -> None:
    """Where two contradict each other; the younger one has its way at its own peers."""
    old = documents.advertisement("z", communities=["1:1"], localPref=1, peers=["inner"])
    young = documents.advertisement("a", communities=["2:2"], localPref=2)
    old["metadata"]["creationTimestamp"] = "2025-01-01T00:00:00Z"
    young["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    found = model.expected(world_of(WEB, READY, old, young), {"default/web": ["203.0.113.7"]}, "n1")
    assert found == {
        "outer": {"203.0.113.7/32": Route((64512,), 4, frozenset({"2:2"}))},
        "inner": {"203.0.113.7/32": Route((), 4, frozenset({"1:1"}), local_pref=1)},
    }


def _clash(one: Document, two: Document, pool: Document) -> bool:
    is_covered = model.covers_pool(one["spec"], pool) and model.covers_pool(two["spec"], pool)
    return is_covered and model.in_conflict(one, two, pool)


def test_churn_of_one_seed_is_always_the_same_and_never_in_conflict() -> None:
    """A seed that failed can be run again, and the model never has to decide a conflict."""
    first, second = (Churn(5, "n1", ("outer", "inner")) for _ in range(2))
    assert first.start() == second.start()
    kinds = set()
    for _ in range(500):
        step = first.draw()
        kinds.add(step.kind)
        held = list(first._advertisements.values())
        clashes = [(one, two) for one in held for two in held if any(_clash(one, two, pool) for pool in POOLS)]
        assert not clashes, f"expected no conflict, found {clashes}"
        assert (step.put, step.remove) == ((again := second.draw()).put, again.remove), (
            f"expected {step}, found {again}"
        )
    assert len(kinds) == 11, f"expected every kind of change, found {sorted(kinds)}"
