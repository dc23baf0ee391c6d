"""Plans on a real FRR, in circles: no line is refused, and after every step FRR runs what is wanted."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frrsync.frr.plan import Command, Daemon
from golden.plan_edits import EDITED, EDITS, MAPS
from golden.plan_frr import PlanFrr
from golden.plan_steps import STEPS
from golden.test_golden_frr import CASES, decide
from golden.test_render_roundtrip import PLAIN, config, router
from instruments.configurations import configurations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.core.frr_config import FrrConfig
    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion

    Step = tuple[FrrConfig, tuple[str, ...], tuple[str, ...]]

pytestmark = pytest.mark.frr

ROUTER = "router bgp 64512"


@pytest.fixture(scope="module")
def shared_frr(frr_version: FrrVersion) -> Iterator[PlanFrr]:
    """Provide one FRR for all tests here."""
    with PlanFrr(frr_version) as frr:
        yield frr


@pytest.fixture
def frr(shared_frr: PlanFrr, request: pytest.FixtureRequest) -> Iterator[PlanFrr]:
    """Provide the FRR as the last test left it; after a failure it begins anew. No daemon may die."""
    failed, pids = request.session.testsfailed, shared_frr.pids()
    yield shared_frr
    survivors = shared_frr.pids()
    if survivors != pids or request.session.testsfailed > failed:
        shared_frr.empty()
    assert survivors == pids, f"expected the daemons {pids}, found {survivors}"


@pytest.fixture(scope="module")
def decided() -> dict[str, FrrConfig]:
    """Return the decision of every golden case."""
    return {case: decide(case).config for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_from_a_golden_case_to_any_other_and_back(case: str, frr: PlanFrr, decided: dict[str, FrrConfig]) -> None:
    """Each pair once there and once back; from nothing at first."""
    frr.lead_to(decided[case])
    for other in CASES[CASES.index(case) + 1 :]:
        frr.lead_to(decided[other])
        frr.lead_to(decided[case])


@pytest.mark.parametrize(("first", "second"), [("dual-stack", "vrf"), ("unnumbered", "communities"), ("bfd", "ibgp")])
def test_vtysh_leads_there_and_back_as_well(
    first: str, second: str, frr: PlanFrr, decided: dict[str, FrrConfig]
) -> None:
    """The same lines through vtysh, which finds the daemon of each itself."""
    for case in (first, second, first):
        frr.lead_to(decided[case], way="vtysh")


@pytest.mark.parametrize("name", STEPS)
def test_a_field_comes_changes_and_goes(name: str, frr: PlanFrr) -> None:
    """Without it, with it, changed, without it: each step is taken back by the next."""
    for step in STEPS[name]:
        frr.lead_to(step)


def test_any_configuration_leads_to_any_other_and_back(frr: PlanFrr) -> None:
    """Whatever two snapshots a node may see one after the other."""

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(configurations(), configurations())
    def lead(first: FrrConfig, second: FrrConfig) -> None:
        for wanted in (first, second, first):
            frr.lead_to(wanted)

    lead()


@pytest.mark.parametrize("name", EDITS)
def test_what_somebody_changed_by_hand_is_put_right(name: str, frr: PlanFrr) -> None:
    """An edit behind our back is seen, and taken back without a difference."""
    frr.lead_to(EDITED)
    frr.edit(*EDITS[name])
    assert frr.drift(EDITED), f"expected a difference after {EDITS[name]}, found none"
    frr.lead_to(EDITED)


@pytest.mark.parametrize("name", MAPS)
def test_a_map_that_somebody_deleted_in_use_is_made_again(name: str, frr: PlanFrr) -> None:
    """It comes back as it was; on its own, because bgpd 8.4 holds on to a deleted map for a second."""
    frr.lead_to(EDITED)
    frr.edit(Command(Daemon.BGPD, (), f"no route-map {name}"))
    assert name in frr.drift(EDITED)
    frr.lead_to(EDITED)
    frr.wait_for_maps()


def _lists(*entries: str) -> tuple[str, ...]:
    """Return a list of each kind with entries of a number, an action and a digit."""
    found: list[str] = []
    for number, action, digit in (entry.split(" ") for entry in entries):
        found += (
            f"ip prefix-list x seq {number} {action} 192.0.{digit}.0/24 le 32",
            f"ipv6 prefix-list x seq {number} {action} 2001:db8:{digit}::/48",
            f"bgp community-list standard x seq {number} {action} 1:{digit}",
            f"bgp large-community-list standard x seq {number} {action} 1:1:{digit}",
            f"bgp extcommunity-list standard x seq {number} {action} rt 1:{digit}",
            f"bgp as-path access-list x seq {number} {action} ^{digit} 2$",
        )
    return tuple(found)


GROUP = ("neighbor PG peer-group", "neighbor PG remote-as 65000")
OPERATORS: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "entries of lists change their content": (
        (_lists("5 permit 1", "10 permit 2", "15 permit 3"), ()),
        (_lists("5 deny 4", "10 permit 2", "15 permit 5"), ()),
    ),
    "entries of lists change their number": (
        (_lists("5 permit 1", "10 permit 2", "15 permit 3"), ()),
        (_lists("5 permit 2", "10 permit 3"), ()),
        (_lists("5 permit 9", "10 permit 2", "15 permit 3"), ()),
        (_lists("7 permit 2"), ()),
    ),
    "a peer-group with a range": (
        (
            (),
            ("neighbor PG peer-group", "neighbor PG remote-as 65000", "bgp listen range 192.0.2.128/25 peer-group PG"),
        ),
        ((), (*GROUP, "neighbor 192.0.2.9 peer-group PG")),
        ((), ("neighbor 192.0.2.9 remote-as 65000",)),
    ),
    "values that FRR wants whole": (
        ((), ("write-quanta 5", "neighbor 192.0.2.1 timers delayopen 5", "neighbor 192.0.2.1 shutdown message a b")),
        ((), ("write-quanta 6", "neighbor 192.0.2.1 timers delayopen 6", "neighbor 192.0.2.1 shutdown")),
    ),
}
"""Lines of operators' templates in steps: of the top level, and of the instance."""


@pytest.mark.parametrize("name", OPERATORS)
def test_lines_of_an_operators_templates_come_change_and_go(name: str, frr: PlanFrr) -> None:
    """What we do not render ourselves is planned by the same rules."""
    base = frr.tree(config(router(PLAIN)))
    frr.lead_to(base)
    for above, inside in OPERATORS[name]:
        frr.lead_to(_with(base, above, inside))
    frr.lead_to(base)


DRAWN: dict[str, tuple[str, ...]] = {
    "ip prefix-list x seq 5": ("permit 192.0.2.0/24 le 32", "deny 192.0.2.0/24 le 32", "permit 198.51.100.0/24"),
    "ip prefix-list x seq 10": ("permit 203.0.113.0/24", "deny any"),
    "ipv6 prefix-list x seq 5": ("permit 2001:db8::/48", "deny 2001:db8::/48"),
    "bgp community-list standard c seq 5": ("permit 1:1", "deny 1:1", "permit 1:2"),
    "bgp large-community-list standard l seq 5": ("permit 1:1:1", "permit 1:1:2"),
    "bgp as-path access-list a seq 5": ("permit ^1 2$", "deny ^1 2$"),
}
"""Lines of the top level with their values; an entry of a list is known by its number."""
DRAWN_INSIDE: dict[str, tuple[str, ...]] = {
    "timers bgp": ("3 9", "10 30"),
    "bgp cluster-id": ("1.1.1.1", "2.2.2.2"),
    "bgp always-compare-med": ("",),
    "read-quanta": ("5", "6"),
    "neighbor 192.0.2.200": ("remote-as 65200", "remote-as 65201", "remote-as external"),
    "neighbor OPS": ("peer-group",),
}
"""Lines of the instance; a neighbor and a group of the operator's among them."""


def _drawn(choices: dict[str, tuple[str, ...]]) -> st.SearchStrategy[tuple[str, ...]]:
    """Draw lines of which no two overwrite each other."""
    each = {key: st.none() | st.sampled_from(values) for key, values in choices.items()}
    return st.fixed_dictionaries(each).map(
        lambda found: tuple(f"{key} {value}".strip() for key, value in found.items() if value is not None)
    )


def test_any_lines_of_templates_beside_any_configuration_lead_to_any_other_and_back(frr: PlanFrr) -> None:
    """An operator's lists, neighbors and settings come, change and go with ours."""
    step = st.tuples(configurations(), _drawn(DRAWN), _drawn(DRAWN_INSIDE))

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(step, step)
    def lead(first: Step, second: Step) -> None:
        for wanted, above, inside in (first, second, first):
            tree = frr.tree(wanted)
            frr.lead_to(_with(tree, above, inside if ROUTER in tree else ()))

    lead()


def _with(base: Tree, above: tuple[str, ...], inside: tuple[str, ...]) -> Tree:
    tree = deepcopy(base)
    tree.update({line: {} for line in above})
    if inside:
        tree[ROUTER].update({line: {} for line in inside})
    return tree
