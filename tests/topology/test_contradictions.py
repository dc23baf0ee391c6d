"""Advertisements that contradict each other, at real peers: the older one counts where they meet, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.node import NAME

if TYPE_CHECKING:
    from instruments.documents import Document
    from instruments.scenario import Scenario

pytestmark = [pytest.mark.frr, pytest.mark.topology]

POOL = documents.pool("alpha", "203.0.113.0/24", "2001:db8:a::/112")


def advertisement(name: str, year: int, **spec: Any) -> Document:
    """Return an advertisement with a time stamp."""
    found = documents.advertisement(name, **spec)
    found["metadata"]["creationTimestamp"] = f"{year}-01-01T00:00:00Z"
    return found


def web(name: str, number: int) -> list[Document]:
    """Return a dual-stack Service with an endpoint and the label ``app``."""
    asked = {"metallb.io/loadBalancerIPs": f"203.0.113.{number},2001:db8:a::{number:x}"}
    return [
        documents.service(name, labels={"app": name}, annotations=asked, families=("IPv4", "IPv6")),
        documents.endpoint_slice(name, [documents.endpoint(NAME, "10.244.0.1")]),
    ]


def test_the_older_one_counts_where_they_meet_and_no_other_route_is_touched(scenario: Scenario) -> None:
    """Judged update by update: the younger one comes, changes, turns out to be the older one, and goes."""
    old = advertisement("middle", 2025, localPref=150, communities=["64512:1"], peers=["tor1", "inner"])
    scenario.apply(POOL, old, *web("one", 1), *web("two", 2))
    scenario.settle()
    only_two = [{"matchLabels": {"app": "two"}}]
    young = advertisement("a", 2026, localPref=250, communities=["64512:2"], serviceSelectors=only_two)
    older = advertisement("a", 2024, localPref=250, communities=["64512:3"], serviceSelectors=only_two)
    agreeing = advertisement("a", 2024, localPref=150, communities=["64512:4"], serviceSelectors=only_two)
    for step in (young, older, agreeing, young):
        scenario.apply(step)
        scenario.settle()
    found = {peer: dict(scenario.judge.latest()[peer]) for peer in ("tor1", "tor2", "inner")}
    communities = {peer: found[peer]["203.0.113.2/32"].communities for peer in found}
    assert communities == {"tor1": {"64512:1"}, "inner": {"64512:1"}, "tor2": {"64512:2"}}, f"found {communities}"
    scenario.apply(remove=[key_of(young)])
    scenario.settle()
