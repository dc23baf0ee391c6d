"""Lines of operators' templates on a real FRR: what it prints in another form is sent once, then never again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from core.test_templates_page import examples
from frrsync.agent.rendering import Rendering
from frrsync.core.frr_config import Neighbor
from frrsync.errors import ApplyError, VerifyError
from frrsync.frr.apply import Applier
from frrsync.frr.plan import Command, Daemon
from golden.plan_frr import PlanFrr
from golden.test_render_roundtrip import config, router

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.core.frr_config import FrrConfig
    from frrsync.frr.apply import ApplyResult
    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion

pytestmark = pytest.mark.frr

PEER, OTHER = "192.0.2.1", "192.0.2.2"
PLAIN = config(router(Neighbor(peer=PEER, remote_as="64520", description="tor1")))
TWO = config(
    router(
        Neighbor(peer=PEER, remote_as="64520", description="tor1"),
        Neighbor(peer=OTHER, remote_as="64520", description="tor2"),
    )
)
NEIGHBOR = "fragments/neighbor.j2"
AFTER = "fragments/after.j2"
FAMILY = "fragments/address_family.j2"
ROUTER = "fragments/router.j2"


class Case(NamedTuple):
    """A fragment and what the mistake about it says, on each version; an empty text for no mistake."""

    file: str
    text: str
    old: str
    new: str


def both(file: str, text: str, said: str) -> Case:
    """Return a case that is the same on both versions."""
    return Case(file, text, said, said)


CASES = {
    "timers that do not fit": both(
        NEIGHBOR,
        " neighbor {{ neighbor.peer }} timers 30 10",
        f"prints 'neighbor {PEER} timers 3 10' for 'neighbor {PEER} timers 30 10'",
    ),
    "multihop without a number": Case(
        NEIGHBOR,
        " neighbor {{ neighbor.peer }} ebgp-multihop",
        f"prints 'neighbor {PEER} ebgp-multihop 255' for 'neighbor {PEER} ebgp-multihop'",
        "",
    ),
    "enforce-multihop": both(
        NEIGHBOR, " neighbor {{ neighbor.peer }} enforce-multihop", f"prints 'neighbor {PEER} disable-connected-check'"
    ),
    "a default for the family": both(FAMILY, f"  neighbor {PEER} send-community both", ""),
    "allowas-in": both(FAMILY, f"  neighbor {PEER} allowas-in 3", f"prints 'neighbor {PEER} allowas-in'"),
    "unsorted communities": both(
        AFTER,
        "route-map operator permit 10\n set community 64512:200 64512:100 no-export\nexit",
        "prints 'set community 64512:100 64512:200 no-export'",
    ),
    "continue": both(
        AFTER, "route-map operator permit 10\n continue 20\nexit", "prints 'on-match goto 20' for 'continue 20'"
    ),
    "aggregate": both(
        FAMILY,
        "  aggregate-address 203.0.113.0/24 route-map frrsync-in summary-only",
        "prints 'aggregate-address 203.0.113.0/24 summary-only route-map frrsync-in'",
    ),
    "prefix-list without numbers": both(
        AFTER,
        "ip prefix-list operator permit 192.0.2.0/24 le 32 ge 25\nip prefix-list operator permit 198.51.100.0/24",
        "prints 'ip prefix-list operator seq 5 permit 192.0.2.0/24 ge 25 le 32'",
    ),
    "prefix with host bits": both(
        AFTER,
        "ip prefix-list operator seq 5 permit 192.0.2.7/24",
        "prints 'ip prefix-list operator seq 5 permit 192.0.2.0/24'",
    ),
    "capital letters in an address": both(
        ROUTER,
        " neighbor 2001:DB8:0:0::0099 remote-as 64599\n neighbor 2001:DB8:0:0::0099 timers connect 7",
        "prints 'neighbor 2001:db8::99 remote-as 64599' for 'neighbor 2001:DB8:0:0::0099 remote-as 64599'",
    ),
    "double blanks": both(
        ROUTER,
        " neighbor 192.0.2.99 remote-as 64599\n neighbor 192.0.2.99 description two  blanks   here",
        "prints 'neighbor 192.0.2.99 description two blanks here'",
    ),
    "a line of another context": both(
        ROUTER, " network 198.51.100.128/25", "prints 'network 198.51.100.128/25' for 'network 198.51.100.128/25'"
    ),
    "a context by its short name": both(
        ROUTER,
        " address-family ipv6\n  maximum-paths 7\n exit-address-family",
        "for 'address-family ipv6'",
    ),
    "a default that is written out": both(
        ROUTER, " no bgp always-compare-med", "takes 'no bgp always-compare-med' and prints nothing for it"
    ),
    "a list that FRR numbers": both(
        AFTER,
        "bgp community-list standard operator permit 64512:2 64512:1",
        "prints 'bgp community-list standard operator seq 5 permit 64512:1 64512:2'",
    ),
}


class Agent:
    """Templates and an applier as the agent has them, on a real FRR."""

    def __init__(self, frr: PlanFrr, folder: Path, record: Path) -> None:
        self._frr = frr._ways["sockets"]
        self.learned = 0
        self.rendering = Rendering(folder, record, self._count)
        self.applier = Applier(self._frr)
        self.applier.learner = self.rendering

    def _count(self) -> None:
        self.learned += 1

    def tree(self, wanted: FrrConfig) -> Tree:
        """Render."""
        return self.rendering.render(wanted, self._frr.dialect).tree

    def apply(self, wanted: FrrConfig) -> ApplyResult:
        """Render and apply once, trusting nothing; another round afterwards must find nothing to do."""
        result = self.applier.apply(self.tree(wanted), "test", reread=True)
        left = self.applier.plan(self.tree(wanted)).commands
        assert not left, f"expected nothing left to send, found {left}"
        self.rendering.accept()
        return result

    def said(self) -> str:
        """Return the mistakes in the templates."""
        return "\n".join(map(str, self.rendering.mistakes))


@pytest.fixture(scope="module")
def frr(frr_version: FrrVersion) -> Iterator[PlanFrr]:
    """Provide one FRR for all tests here."""
    with PlanFrr(frr_version) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, frr: PlanFrr) -> Path:
    """Provide an empty folder of templates, and FRR as our own templates leave it."""
    frr.lead_to(PLAIN)
    (tmp_path / "templates" / "fragments").mkdir(parents=True)
    return tmp_path / "templates"


@pytest.mark.parametrize("name", CASES)
def test_a_line_in_another_form_is_sent_once(name: str, frr: PlanFrr, folder: Path, tmp_path: Path) -> None:
    """It is reported with FRR's form, and neither a later round nor a new agent sends it; it can go again."""
    case = CASES[name]
    said = case.old if frr.version == "8.4" else case.new
    (folder / case.file).write_text(case.text + "\n", "utf-8")
    agent = Agent(frr, folder, tmp_path / "record")
    result = agent.apply(PLAIN)
    assert result.commands or name == "a default for the family"
    assert agent.learned == bool(said), f"expected to learn {bool(said)}, found {agent.said()}"
    assert said in agent.said(), f"expected {said!r}, found {agent.said()!r}"
    if said:
        line = len(case.text.splitlines()) if "blanks" in name else 1
        line = 2 if "route-map operator" in case.text else line
        assert agent.said().startswith(f"{folder / case.file}:{line}: Template: FRR {frr.version} "), agent.said()
    assert agent.apply(PLAIN).commands == 0, "expected a second round to send nothing"
    assert agent.learned <= 1, "expected it to be learned once"
    agent.apply(TWO)
    agent.apply(PLAIN)
    again = Agent(frr, folder, tmp_path / "record")
    assert again.apply(PLAIN).commands == 0, "expected a new agent to send nothing"
    assert said in again.said(), f"expected {said!r} of the new agent, found {again.said()!r}"
    (folder / case.file).unlink()
    again.rendering.renew()
    again.apply(PLAIN)
    assert not again.said()
    frr.lead_to(PLAIN)


FORGOTTEN = (
    "timers that do not fit", "multihop without a number", "enforce-multihop", "allowas-in", "unsorted communities",
    "aggregate", "capital letters in an address", "double blanks", "prefix-list without numbers",
)  # fmt: skip


@pytest.mark.parametrize("name", FORGOTTEN)
def test_an_empty_bgpd_and_a_lost_record_lead_to_the_same(
    name: str, frr: PlanFrr, folder: Path, tmp_path: Path
) -> None:
    """An FRR that was restarted gets FRR's form of the line; one that lost its record sees that it runs."""
    case = CASES[name]
    (folder / case.file).write_text(case.text + "\n", "utf-8")
    agent = Agent(frr, folder, tmp_path / "record")
    agent.apply(PLAIN)
    frr.empty()
    agent.apply(PLAIN)
    assert agent.learned <= 1, "expected nothing new to be learned"
    ignorant = Agent(frr, folder, tmp_path / "other")
    commands = ignorant.apply(PLAIN).commands
    assert bool(commands) == ("list" in name), f"expected only entries of a list to be sent, found {commands} lines"
    assert ignorant.apply(PLAIN).commands == 0
    found, expected = (re.sub(r" seq \d+", "", one.said()) for one in (ignorant, agent))
    assert found == expected


def test_a_changed_line_is_learned_anew(frr: PlanFrr, folder: Path, tmp_path: Path) -> None:
    """What was learned about one line says nothing about the next."""
    agent = Agent(frr, folder, tmp_path / "record")
    for hold in (10, 13, 16):
        text = f" neighbor {{{{ neighbor.peer }}}} timers 30 {hold}\n"
        (folder / NEIGHBOR).write_text(text, "utf-8")
        agent.rendering.renew()
        agent.apply(PLAIN)
        assert f"timers {hold // 3} {hold}' for" in agent.said(), agent.said()
        assert agent.said().count("\n") == 0, f"expected one mistake, found {agent.said()}"
    (folder / NEIGHBOR).write_text(" neighbor {{ neighbor.peer }} timers 5 15\n", "utf-8")
    agent.rendering.renew()
    agent.apply(PLAIN)
    assert not agent.said()


def test_a_refused_line_names_its_template(frr: PlanFrr, folder: Path, tmp_path: Path) -> None:
    """It is rolled back, nothing is learned, and its password is hidden."""
    (folder / "fragments" / "neighbor-tor1.j2").write_text(
        "\n\n neighbor {{ neighbor.peer }} password s3cret wibble\n", "utf-8"
    )
    agent = Agent(frr, folder, tmp_path / "record")
    with pytest.raises(ApplyError) as caught:
        agent.apply(PLAIN)
    assert f"refused a line of {folder / 'fragments' / 'neighbor-tor1.j2'}:3 with" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.rolled_back
    assert agent.learned == 0
    frr.lead_to(PLAIN)


def test_a_line_that_cannot_stand_names_its_template(frr: PlanFrr, folder: Path, tmp_path: Path) -> None:
    """What no FRR can run is not even sent."""
    (folder / ROUTER).write_text("\n neighbor 192.0.2.77 passive\n", "utf-8")
    agent = Agent(frr, folder, tmp_path / "record")
    with pytest.raises(ApplyError, match="no line with remote-as") as caught:
        agent.apply(PLAIN)
    assert f"a line of {folder / ROUTER}:2" in str(caught.value)


def test_a_line_of_ours_is_never_learned(frr: PlanFrr, folder: Path, tmp_path: Path) -> None:
    """A template that overwrites what our templates print gives an error, and all is taken back."""
    timed = config(router(Neighbor(peer=PEER, remote_as="64520", keepalive_time=3, hold_time=9)))
    frr.lead_to(timed)
    (folder / NEIGHBOR).write_text(" neighbor {{ neighbor.peer }} timers 30 10\n", "utf-8")
    agent = Agent(frr, folder, tmp_path / "record")
    with pytest.raises(VerifyError, match="timers 3 9") as caught:
        agent.apply(timed)
    assert caught.value.rolled_back
    assert agent.learned == 0
    frr.lead_to(timed)


def test_a_line_of_somebody_else_is_never_learned(frr: PlanFrr, folder: Path, tmp_path: Path) -> None:
    """What was there before, and does not go, is no form of a template's line."""
    (folder / NEIGHBOR).write_text(" neighbor {{ neighbor.peer }} timers 30 10\n", "utf-8")
    agent = Agent(frr, folder, tmp_path / "record")
    agent.apply(PLAIN)
    frr.edit(Command(Daemon.BGPD, ("router bgp 64512",), f"neighbor {PEER} timers 7 21"))
    assert agent.applier.plan(agent.tree(PLAIN)).commands, "expected the foreign line to be seen"
    agent.apply(PLAIN)
    assert agent.learned == 1


def test_the_examples_of_the_page_are_loaded(frr: PlanFrr, folder: Path, tmp_path: Path) -> None:
    """FRR takes what docs/templates.md shows, and prints it as it is written there."""
    for name, text in examples().items():
        (folder / name).write_text(text, "utf-8")
    agent = Agent(frr, folder, tmp_path / "record")
    agent.apply(TWO)
    assert agent.learned == 0, f"expected FRR's own form, found {agent.said()}"
    found = frr.vtysh("show running-config")
    for expected in ("ip prefix-list fabric seq 5", "bgp deterministic-med", f"neighbor {OTHER} maximum-prefix 10"):
        assert expected in found, f"expected {expected!r}, found {found}"
    frr.lead_to(PLAIN)
