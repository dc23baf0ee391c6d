"""The judge against a log that is written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.judge import Judge
from instruments.observe import Event
from instruments.route import Route
from instruments.world import Change, World

if TYPE_CHECKING:
    from instruments.documents import Document

WEB = documents.service("web")
READY = documents.endpoint_slice("web", [documents.endpoint("n1", "10.244.0.1")])


def world_of(*found: Document) -> dict[tuple[str, str, str], Document]:
    """Return documents by their keys, with a pool, a node and two peers."""
    base = [
        documents.pool("alpha", "203.0.113.0/24", "2001:db8:a::1-2001:db8:a::ff", labels={"tier": "a"}),
        documents.node("n1", labels={"rack": "r1"}),
        documents.peer("outer", "10.99.0.11", my_asn=64512, peer_asn=65001),
        documents.peer("inner", "10.99.0.14", my_asn=64512, peer_asn=64512, dualStackAddressFamily=True),
    ]
    return {key_of(document): document for document in (*base, *found)}


def route(*communities: str) -> Route:
    """Return a route of the node with these communities."""
    return Route((64512,), 4, frozenset(communities))


def update(*, announced: str = "", withdrawn: str = "", seen: Route | None = None, peer: str = "outer") -> Event:
    """Return an UPDATE about one prefix."""
    return Event(
        time=1.0,
        peer=peer,
        kind="update",
        session=1,
        announced=(announced,) if announced else (),
        withdrawn=(withdrawn,) if withdrawn else (),
        route=seen,
    )


TAGGED = documents.advertisement("one", communities=["1:1"], peers=["outer"])
RETAGGED = documents.advertisement("one", communities=["2:2"], peers=["outer"])
P = "203.0.113.7/32"


@pytest.mark.parametrize(
    ("event", "kinds"),
    [
        (update(announced=P, seen=route("1:1")), []),
        (update(announced=P, seen=route("2:2")), []),
        (update(announced=P, seen=route("1:1", "2:2")), ["attributes"]),
        (update(announced=P, seen=route()), ["attributes"]),
        (update(announced=P, seen=route("1:1"), peer="inner"), ["leak"]),
        (update(announced="203.0.113.8/32", seen=route("1:1")), ["leak"]),
        (update(withdrawn=P), ["hole"]),
        (update(withdrawn="203.0.113.8/32"), []),
        (Event(time=1.0, peer="outer", kind="down", session=1, detail={"reason": "x"}), ["session"]),
        (Event(time=1.0, peer="outer", kind="connect", session=1), []),
        (Event(time=1.0, peer="outer", kind="notification-received", session=1), ["session"]),
    ],
)
def test_the_judge_finds_what_neither_before_nor_after_explains(event: Event, kinds: list[str]) -> None:
    """While an advertisement changes its community, old and new are right and nothing else is."""
    judge = Judge(World("n1", world_of(WEB, READY, TAGGED), {"default/web": ["203.0.113.7"]}))
    judge.change(Change(0.0, {key_of(RETAGGED): RETAGGED}))
    judge.events([event])
    found = [finding.kind for finding in judge.verdict.findings]
    assert found == kinds, f"expected {kinds}, found {judge.verdict}"


def test_the_judge_forgets_the_old_state_once_it_is_settled() -> None:
    """After the new attributes arrived, the old ones are a mistake."""
    judge = Judge(World("n1", world_of(WEB, READY, TAGGED), {"default/web": ["203.0.113.7"]}))
    judge.change(Change(0.0, {key_of(RETAGGED): RETAGGED}))
    judge.settled(0.1)
    judge.events([update(announced=P, seen=route("2:2")), update(announced=P, seen=route("1:1"))])
    assert [finding.kind for finding in judge.verdict.findings] == ["attributes"], str(judge.verdict)
    assert (judge.verdict.announced, judge.verdict.repeated) == (2, 0), str(judge.verdict)


def test_the_judge_allows_changes_to_arrive_in_any_order() -> None:
    """Of two changes under way the second may be seen alone."""
    judge = Judge(World("n1", world_of(WEB, READY, TAGGED), {"default/web": ["203.0.113.7"]}))
    other = documents.advertisement("two", communities=["3:3"])
    judge.change(Change(0.0, {key_of(RETAGGED): RETAGGED}))
    judge.change(Change(0.0, {key_of(other): other}))
    judge.events([update(announced=P, seen=route("1:1", "3:3")), update(announced=P, seen=route("2:2", "3:3"))])
    assert not judge.verdict.findings, str(judge.verdict)
