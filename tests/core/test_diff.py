"""Plans: they lead where they should, back again, and nothing leaks or breaks off on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from frrsync.frr.dialect import dialect_of
from frrsync.frr.diff import make_plan
from frrsync.frr.render import Renderer
from frrsync.frr.scope import managed
from frrsync.frr.tree import difference, parse
from instruments.configurations import configurations
from instruments.frr_model import VERSIONS, FrrModel

if TYPE_CHECKING:
    from frrsync.core.frr_config import FrrConfig
    from frrsync.frr.plan import Plan
    from frrsync.frr.tree import Tree

DIALECT = dialect_of("FRRouting 8.4 --enable-multipath=256")
RENDERER = Renderer(None, DIALECT)


def _tree(config: FrrConfig) -> Tree:
    """Return the configuration as FRR would run it."""
    return managed(RENDERER.render(config).tree, DIALECT)


steady_trees = configurations(steady=True).map(_tree)
trees = configurations().map(_tree)


def _follow(before: Tree, after: Tree, version: str) -> tuple[FrrModel, Plan]:
    """Take every line of the plan and check after each one what neighbors see that stay."""
    model, goal = FrrModel(before, version), FrrModel(after)
    seen_before, seen_after = model.sent(), goal.sent()
    staying = {peer for peer, _, _ in seen_before} & {peer for peer, _, _ in seen_after}
    plan = make_plan(before, after)
    resetting = {reset.peer for reset in plan.resets}
    for command in plan.commands:
        model.send(command)
        now = model.sent()
        for key in seen_before.keys() | seen_after.keys() | now.keys():
            allowed = (seen_before.get(key), seen_after.get(key))
            is_reset = key[0].partition("@")[0] in resetting
            assert now.get(key) in allowed or (now.get(key) is None and is_reset), (
                f"after {command}: {key} is sent as {now.get(key)}, expected one of {allowed}; plan: {plan.commands}"
            )
            if key[0] in staying and not is_reset and None not in allowed:
                assert key in now, f"after {command}: {key} is not sent although it was and will be"
    return model, plan


def _assert_leads_to(before: Tree, after: Tree, version: str = "8.4") -> None:
    model, plan = _follow(before, after, version)
    missing, superfluous = difference(after, model.tree), difference(model.tree, after)
    assert not missing + superfluous, f"the plan leaves out {missing} and leaves behind {superfluous}"
    staying = set(FrrModel(before).neighbors()) & set(FrrModel(after).neighbors())
    expected = {key: 1 for key in staying if key[1] in {reset.peer for reset in plan.resets}}
    found = {key: count for key, count in model.dropped.items() if key in staying}
    assert found == expected, f"{version}: expected sessions lost {expected}, found {found}; plan: {plan}"


@settings(max_examples=100, deadline=None)
@given(steady_trees, steady_trees)
def test_no_prefix_leaks_or_breaks_off_between_any_two_lines_and_the_way_back_works(before: Tree, after: Tree) -> None:
    """With the same neighbors, every single line keeps each neighbor at what it saw or will see."""
    _assert_leads_to(before, after)
    _assert_leads_to(after, before)


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=100, deadline=None)
@given(trees, trees)
def test_neighbors_come_go_and_change_and_a_session_ends_once_or_not_at_all(
    version: str, before: Tree, after: Tree
) -> None:
    """Whatever changes, forward and back: the plan names every session that it costs, and costs it once."""
    _assert_leads_to(before, after, version)
    _assert_leads_to(after, before, version)


@settings(max_examples=50, deadline=None)
@given(trees)
def test_from_nothing_to_a_configuration_and_back_to_nothing(tree: Tree) -> None:
    """The first load and the last withdrawal are plans like any other."""
    _assert_leads_to({}, tree)
    _assert_leads_to(tree, {})


@settings(max_examples=50, deadline=None)
@given(trees)
def test_the_same_configuration_needs_no_plan(tree: Tree) -> None:
    """Equal trees give an empty plan, whatever the order of their lines."""
    assert not make_plan(tree, dict(reversed(tree.items())))


def _router(*lines: str) -> Tree:
    return parse(
        "\n".join(("router bgp 64512", " neighbor 192.0.2.1 remote-as 64513", *(f" {line}" for line in lines)))
    )


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
        (
            ("neighbor 192.0.2.1 password one",),
            ("neighbor 192.0.2.1 password two",),
            ["neighbor 192.0.2.1 password two"],
        ),
        (
            ("neighbor 192.0.2.1 local-as 64998 no-prepend replace-as",),
            ("neighbor 192.0.2.1 local-as 64999 no-prepend replace-as",),
            [
                "neighbor 192.0.2.1 shutdown",
                "neighbor 192.0.2.1 local-as 64999 no-prepend replace-as",
                "no neighbor 192.0.2.1 shutdown",
            ],
        ),
        (
            ("neighbor 192.0.2.1 timers delayopen 5", "neighbor 192.0.2.1 prefix-list a out"),
            ("neighbor 192.0.2.1 prefix-list b out",),
            ["no neighbor 192.0.2.1 timers delayopen", "neighbor 192.0.2.1 prefix-list b out"],
        ),
        (("coalesce-time 500", "read-quanta 5"), ("coalesce-time 600",), ["no read-quanta 5", "coalesce-time 600"]),
        (
            ("neighbor eth0 interface v6only remote-as external",),
            ("neighbor eth0 interface remote-as external",),
            [
                "no neighbor eth0",
                "neighbor eth0 interface remote-as external",
                "neighbor eth0 shutdown",
                "no neighbor eth0 shutdown",
            ],
        ),
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


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ("seq 5 permit 192.0.2.0/24", "seq 5 deny 192.0.2.0/24", ["seq 5 deny 192.0.2.0/24"]),
        (
            "seq 5 permit 192.0.2.0/24",
            "seq 7 permit 192.0.2.0/24",
            ["no seq 5 permit 192.0.2.0/24", "seq 7 permit 192.0.2.0/24"],
        ),
        (
            "seq 5 permit 192.0.2.0/24",
            "seq 7 deny 192.0.2.0/24",
            ["seq 7 deny 192.0.2.0/24", "no seq 5 permit 192.0.2.0/24"],
        ),
    ],
)
def test_an_entry_of_a_list_is_overwritten_moved_or_replaced(have: str, want: str, expected: list[str]) -> None:
    """FRR knows an entry by its number and ignores one whose content is there under another."""
    name = "ip prefix-list x "
    found = [command.line.replace(name, "") for command in make_plan({name + have: {}}, {name + want: {}}).commands]
    assert found == expected


def test_a_map_is_mended_closed_and_never_deleted_while_it_is_in_use() -> None:
    """A foreign match goes with its entry, another entry holds the map meanwhile, and nothing is let through."""
    plan = make_plan(
        parse("route-map x permit 10\n match metric 3\n set tag 1"), parse("route-map x permit 10\n set tag 2")
    )
    assert [(*command.context, command.line) for command in plan.commands] == [
        ("route-map x deny 65535", ""),
        ("no route-map x permit 10",),
        ("route-map x deny 10", "set tag 2"),
        ("route-map x permit 10", ""),
        ("no route-map x deny 65535",),
    ]
