"""What changed between two states of a collection, whichever way it is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from frrsync.core.announce import Route, Verdict
from frrsync.core.changes import changed_keys
from frrsync.core.coverage import Coverage, NetworkList, order
from frrsync.core.frr_config import Network
from frrsync.core.model import NamespacedName

edits = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(("set", "drop"))), max_size=6)
states = st.lists(edits, min_size=1, max_size=6)

PREFIXES = [*(f"192.0.2.{number}/32" for number in range(6)), "192.0.2.0/24", "2001:db8::1/128", "2001:db8::2/128"]
NAMES = (("a",), ("b",), ("a", "b"))


@given(st.dictionaries(st.integers(0, 12), st.integers()), edits)
def test_exactly_the_keys_with_another_object_are_found(start: dict[int, int], changes: list[tuple[int, str]]) -> None:
    """Added at the end, removed, replaced, or set to the same object: against a plain look at each key."""
    before = {key: object() for key in start}
    after = before.copy()
    for key, what in changes:
        after.pop(key, None) if what == "drop" else after.update({key: object()})
    expected = {key for key in before.keys() | after.keys() if before.get(key) is not after.get(key)}
    found = changed_keys(before, after)
    assert set(found) == expected, f"expected {sorted(expected)}, found {found}"
    assert len(found) == len(expected), f"expected each key once, found {found}"


verdicts = st.dictionaries(
    st.sampled_from([NamespacedName("default", f"s{number}") for number in range(5)]),
    st.lists(
        st.builds(Route, prefix=st.sampled_from(PREFIXES), advertisements=st.sampled_from(NAMES)),
        max_size=3,
        unique_by=lambda route: route.prefix,
    ),
)


@given(
    st.lists(
        st.tuples(
            verdicts, st.fixed_dictionaries({}, optional={names: st.just("class-" + "".join(names)) for names in NAMES})
        ),
        min_size=1,
        max_size=6,
    )
)
def test_prefixes_kept_from_state_to_state_are_those_of_starting_anew(
    history: list[tuple[dict[NamespacedName, list[Route]], dict[tuple[str, ...], str]]],
) -> None:
    """Whatever comes, goes, is shared, or is sent to nobody any more: the lines are complete and sorted."""
    coverage, lists = Coverage(), {4: NetworkList(4), 6: NetworkList(6)}
    for routes, sent in history:
        now = {name: Verdict(service=name, routes=tuple(items)) for name, items in routes.items()}
        covered = coverage.of(now)
        expected: dict[str, set[str]] = {}
        for items in routes.values():
            for route in items:
                expected.setdefault(route.prefix, set()).update(route.advertisements)
        wanted = {prefix: tuple(sorted(names)) for prefix, names in expected.items()}
        assert covered == wanted, f"expected {wanted}, found {covered}"
        for version, kept in lists.items():
            lines = [
                Network(prefix=prefix, class_map=sent[wanted[prefix]])
                for prefix in sorted(wanted, key=order)
                if order(prefix)[0] == version and wanted[prefix] in sent
            ]
            found = kept.of(covered, sent)
            assert list(found) == lines, f"expected {lines}, found {found}"
