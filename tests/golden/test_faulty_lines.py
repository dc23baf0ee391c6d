"""Faulty lines of an operator's templates, each between two good ones, on FRR with a session that is up.

None is ever half applied: it is refused before anything is sent, or taken back to the identical configuration,
or FRR takes it and what it prints counts from then on. The session stays up, and everything else is applied.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from frrsync.agent.rendering import Rendering
from frrsync.core.frr_config import Network
from frrsync.errors import ApplyError
from frrsync.frr.apply import Applier
from frrsync.frr.plan import Daemon
from frrsync.frr.session import open_frr
from frrsync.frr.tree import difference, parse
from golden.session_pair import CLASS, SessionPair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.core.frr_config import FrrConfig
    from frrsync.frr.session import Frr
    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion

pytestmark = pytest.mark.frr

ROUTER = "router bgp 64512"
V4 = "address-family ipv4 unicast"
V6 = "address-family ipv6 unicast"
MAP = "route-map X permit 10"
PEER = "neighbor 10.99.1.2"
"""The session that is up; others of these tests have addresses where nobody is."""
OTHER = "neighbor 10.99.1.9"

UNSENT, IGNORED, REFUSED, TAKEN = "unsent", "ignored", "refused", "taken"
"""Ignored is what nobody but FRR's own file gets; templates are told so."""


class Faulty(NamedTuple):
    """A line in its contexts, and what becomes of it on 8.4 and 10.3."""

    contexts: tuple[str, ...]
    line: str
    outcome: str
    newer: str = ""


CASES: dict[str, Faulty] = {
    "an unknown command": Faulty((), "foo bar", IGNORED),
    "a typo in a keyword": Faulty((ROUTER,), "neighbour 10.99.1.1 remote-as 65002", REFUSED),
    "a wrong context": Faulty((), "network 20.1.0.0/24", IGNORED),
    "a line of a family outside of it": Faulty((ROUTER,), "network 20.1.0.0/24", TAKEN),
    "a neighbor that does not exist": Faulty((ROUTER, V4), "neighbor 10.99.1.77 activate", REFUSED),
    "a route-map that does not exist": Faulty((ROUTER, V4), f"{PEER} route-map NOSUCH in", REFUSED),
    "a network with a missing route-map": Faulty((ROUTER, V4), "network 20.1.0.0/24 route-map NOSUCH", TAKEN),
    "remote-as 0": Faulty((ROUTER,), f"{OTHER} remote-as 0", REFUSED),
    "a remote-as that is too large": Faulty((ROUTER,), f"{OTHER} remote-as 4294967296", REFUSED),
    "a second instance with another AS": Faulty((), "router bgp 65099", REFUSED),
    "prefix length 33": Faulty((ROUTER, V4), "network 20.1.0.0/33", REFUSED),
    "host bits": Faulty((ROUTER, V4), "network 20.1.0.5/24", TAKEN),
    "a network without a length": Faulty((ROUTER, V4), "network 20.1.0.0", TAKEN),
    "a link-local network": Faulty((ROUTER, V6), "network fe80::/64", REFUSED),
    "the own address as neighbor": Faulty((ROUTER,), "neighbor 10.99.1.1 remote-as 65002", TAKEN),
    "a hold time below the keepalive": Faulty((ROUTER,), f"{PEER} timers 30 10", TAKEN),
    "hold time 1": Faulty((ROUTER,), f"{PEER} timers 1 1", REFUSED),
    "a password of 100 characters": Faulty((ROUTER,), f"{PEER} password " + "p" * 100, REFUSED),
    "a password with a blank": Faulty((ROUTER,), f"{PEER} password two words", REFUSED),
    "a route-map name of 300 characters": Faulty((), f"route-map {'N' * 300} permit 10", TAKEN),
    "route-map sequence 70000": Faulty((), "route-map X permit 70000", REFUSED),
    "a community out of range": Faulty((MAP,), "set community 65001:70000", REFUSED),
    "a large community of two parts": Faulty((MAP,), "set large-community 1:2", REFUSED),
    "a local preference that is too large": Faulty((MAP,), "set local-preference 4294967296", REFUSED),
    "an incomplete command": Faulty((MAP,), "set local-preference", REFUSED),
    "an ambiguous abbreviation": Faulty((ROUTER,), "n 10.99.1.9 remote-as 65002", TAKEN),
    "an unambiguous abbreviation": Faulty((ROUTER,), "neigh 10.99.1.9 remote-a 65002", TAKEN),
    "ebgp-multihop 300": Faulty((ROUTER,), f"{PEER} ebgp-multihop 300", REFUSED),
    "multihop and ttl-security": Faulty(
        (ROUTER,), f"{OTHER} remote-as 65002\n {OTHER} ebgp-multihop 3\n {OTHER} ttl-security hops 1", REFUSED
    ),
    "maximum-paths 4000": Faulty((ROUTER, V4), "maximum-paths 4000", REFUSED),
    "a range for a missing peer-group": Faulty((ROUTER,), "bgp listen range 10.0.0.0/8 peer-group NOPG", REFUSED),
    "an interface that does not exist": Faulty((ROUTER,), "neighbor eth99 interface remote-as external", TAKEN),
    "a BFD profile that does not exist": Faulty((ROUTER,), f"{PEER} bfd profile NOSUCH", TAKEN),
    "a prefix-list with ge below the length": Faulty((), "ip prefix-list PL permit 10.0.0.0/8 ge 4", REFUSED),
    "the removal of a missing network": Faulty((ROUTER, V4), "no network 20.9.9.9/32", REFUSED),
    "the removal of a missing neighbor": Faulty((ROUTER,), "no neighbor 10.9.9.9 remote-as 65002", TAKEN),
    "the removal of a missing route-map": Faulty((), "no route-map NOSUCH", IGNORED),
    "an early end": Faulty((ROUTER,), "end", UNSENT),
    "an early exit at the top": Faulty((), "exit", UNSENT),
    "do": Faulty((), "do clear bgp * soft", UNSENT),
    "special characters in a description": Faulty((ROUTER,), f"{PEER} description a ! b # c | d ? e", UNSENT),
    "a question mark": Faulty((ROUTER,), "?", UNSENT),
    "a newline in a value": Faulty((ROUTER,), f"{PEER} description x\nneighbor 10.66.6.6 remote-as 65066", REFUSED),
    "a carriage return in a value": Faulty(
        (ROUTER,), f"{PEER} description x\rneighbor 10.66.6.7 remote-as 65066", UNSENT
    ),
    "a NUL in a value": Faulty((ROUTER,), f"{PEER} description x\0neighbor 10.66.6.8 remote-as 65066", UNSENT),
    "a comment behind a command": Faulty((ROUTER,), f"{PEER} timers 10 30 ! fast", REFUSED),
    "a tab and UTF-8": Faulty((ROUTER,), f"{PEER} description\tgr\u00fc\u00dfe \u2713", UNSENT),
    "5,000 characters": Faulty((ROUTER,), f"{PEER} description " + "d" * 4980, UNSENT),
    "10,000 characters": Faulty((ROUTER,), f"{PEER} description " + "d" * 9980, UNSENT),
    "a pipe to a command": Faulty((ROUTER,), f"{PEER} description x | include y", UNSENT),
    "another AS for a neighbor": Faulty((ROUTER,), f"{PEER} remote-as 65077", REFUSED),
    "a BFD interval that is too short": Faulty(("bfd", "profile P"), "receive-interval 5", REFUSED),
    "a missing community-list in a match": Faulty((MAP,), "match community NOCL", TAKEN),
    "a bad regular expression": Faulty((), "bgp as-path access-list ASP permit ^(65", REFUSED),
}


@pytest.fixture(scope="module")
def pair(frr_version: FrrVersion) -> Iterator[SessionPair]:
    """Provide an FRR with one session that is up."""
    with SessionPair(frr_version, 1) as found:
        yield found


class Operator:
    """An operator's templates before a real FRR, as the agent has them."""

    def __init__(self, pair: SessionPair, folder: Path, way: str) -> None:
        self._pair = pair
        self._folder = folder
        self.way = way
        settings = replace(pair.settings, apply_with="vtysh" if way == "vtysh" else "sockets")
        self._frr: Frr = open_frr(settings)
        self._reader = open_frr(pair.settings)  # by sockets, which takes no time
        self._rendering = Rendering(folder)
        self.applier = Applier(self._frr)
        self.applier.learner = self._rendering
        self._number = 0
        self.prefix = ""

    def config(self) -> FrrConfig:
        """Return what is wanted, each time with another prefix."""
        self._number = self._number % 200 + 1
        self.prefix = f"198.51.100.{self._number}/32"
        config = self._pair.config()
        router = config.routers[0]
        family = router.address_families[0]
        networks = (Network(prefix=self.prefix, class_map=CLASS.name), *family.networks)
        families = (replace(family, networks=networks), *router.address_families[1:])
        return replace(config, routers=(replace(router, address_families=families),))

    def write(self, case: Faulty | None) -> None:
        """Write the templates: the faulty line between two good ones, or none at all."""
        for path in self._folder.iterdir():
            path.unlink()
        if case is not None:
            line = " " * len(case.contexts) + _written(case.line)
            own = [" " * depth + context for depth, context in enumerate(case.contexts)] + [line]
            own += [" " * depth + "exit" for depth in reversed(range(len(case.contexts)))]
            marks = ["route-map BEFORE permit 10", "exit"], ["route-map AFTER permit 10", "exit"]
            is_apart = not case.contexts or case.contexts == (MAP,)
            self._extend("frr.conf.j2", before=marks[0], after=[*(own if is_apart else ()), *marks[1]])
            if case.contexts in {(ROUTER,), (ROUTER, V4), (ROUTER, V6)}:
                place = (
                    ("address_family.j2", "family_extra")
                    if len(case.contexts) > 1
                    else ("router_bgp.j2", "router_extra")
                )
                self._extend(place[0], **{place[1]: [line]})
            elif not is_apart:
                (self._folder / "bfd.j2").write_text("\n".join((*own, "")), "utf-8")
        self._rendering.renew()

    def _extend(self, name: str, **blocks: list[str]) -> None:
        """Write a template that fills blocks of ours."""
        text = [f'{{% extends "frrsync/{name}" %}}']
        for block, content in blocks.items():
            text += [f"{{% block {block} %}}", *content, "{% endblock %}"]
        (self._folder / name).write_text("\n".join((*text, "")), "utf-8")

    def bring(self) -> tuple[str, str]:
        """Apply as the agent does; return what became of the templates, and why."""
        config = self.config()
        rendered = self._rendering.render(config, self._frr.dialect)
        if self._rendering.problem:
            self.applier.apply(rendered.tree, "test", reread=True)
            return UNSENT, self._rendering.problem
        before = self.running()
        refusal: ApplyError | None = None
        try:
            self.applier.apply(rendered.tree, "test", reread=True)
        except ApplyError as error:
            refusal = error
        if refusal is not None:
            after = self.running()
            assert refusal.rolled_back, f"expected it to be taken back: {refusal}"
            assert after == before, f"expected what ran before, found {difference(after, before)} {refusal}"
            assert self._rendering.reject(str(refusal)), "expected templates from before"
            self.applier.apply(self._rendering.render(config, self._frr.dialect).tree, "test", reread=True)
            return REFUSED, str(refusal)
        self._rendering.accept()
        left = self.applier.plan(self._rendering.render(config, self._frr.dialect).tree)
        assert not left, f"expected it to be read back equal, found {left.commands} left to send"
        told = [mistake.message for mistake in self._rendering.mistakes if "is not sent to FRR" in mistake.message]
        return (IGNORED, told[0]) if told else (TAKEN, "")

    def running(self) -> Tree:
        """Return the whole running configuration, also what is not ours."""
        found: Tree = {}
        for daemon in Daemon:
            found |= parse(self._reader.show("show running-config", daemon))
        return found

    def close(self) -> None:
        """Close the connections."""
        self._frr.close()
        self._reader.close()


def _written(line: str) -> str:
    """Return a line as a template has it: with control characters as an expression."""
    hidden = any(character in line for character in "\r\0") or line.endswith("65066")
    return "{{ " + json.dumps(line).replace("\\u0000", "\\x00") + " }}" if hidden else line


@pytest.fixture(scope="module", params=["sockets", "vtysh"])
def operator(
    request: pytest.FixtureRequest, pair: SessionPair, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """Provide the operator's templates, empty at first and taken."""
    found = Operator(pair, tmp_path_factory.mktemp("templates"), request.param)
    assert found.bring() == (TAKEN, "")
    yield found
    found.close()


@pytest.mark.parametrize("name", CASES)
def test_a_faulty_line_is_never_half_applied(
    name: str, pair: SessionPair, operator: Operator, frr_version: FrrVersion
) -> None:
    """Refused before it is sent, taken back, or taken as FRR prints it."""
    case = CASES[name]
    if case.outcome in {UNSENT, IGNORED} and operator.way == "vtysh":
        pytest.skip("this line reaches FRR in no way")
    clean = operator.running()
    sessions = {number: (item.state, item.dropped) for number, item in pair.sessions().items()}
    operator.write(case)
    try:
        outcome, reason = operator.bring()
        wanted = (frr_version != "8.4" and case.newer) or case.outcome
        assert outcome == wanted, f"expected {wanted}, found {outcome}: {reason}"
        found = operator.running()
        assert f"network {operator.prefix} route-map {CLASS.name}" in found[ROUTER][V4], f"expected the rest: {reason}"
        marks = ["route-map BEFORE permit 10" in found, "route-map AFTER permit 10" in found]
        assert marks == [outcome in {TAKEN, IGNORED}] * 2, (
            f"expected both good lines or none with {outcome}, found {marks}"
        )
    finally:
        operator.write(None)
        assert operator.bring()[0] == TAKEN
    gone = f"network {operator.prefix} route-map {CLASS.name}"
    after = operator.running()
    del after[ROUTER][V4][gone]
    clean[ROUTER][V4] = {line: {} for line in clean[ROUTER][V4] if not line.startswith("network 198.51.100.")}
    assert after == clean, f"expected nothing to stay, found {difference(after, clean)}, {difference(clean, after)}"
    left = {number: (item.state, item.dropped) for number, item in pair.sessions().items()}
    assert left == sessions, f"expected the session to stay up, found {left}"
