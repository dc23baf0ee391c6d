"""``docs/fields.md`` says what every field becomes: the page, the renderer and both versions of FRR agree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from frrsync.frr.apply import Applier
from frrsync.frr.dialect import OLDEST
from frrsync.frr.tree import difference, parse
from golden import fields_page
from golden.boot import without_noise
from golden.fields_page import NOTHING, WHOLE, as_written, by_peer, changes, known_fields, render, rows
from topology.bare_frr import BareFrr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion
    from golden.fields_page import Row

VERSION = "FRRouting 8.4 --enable-multipath=256"
V1BETA1, V1BETA2 = "metallb.io/v1beta1", "metallb.io/v1beta2"
ROWS = rows()
BASES: dict[str, Tree] = {}
"""What the manifests of the page become without an example, by the section."""
OLDER = [row for row in ROWS if row.is_in_v1beta1]
ACCEPTED: dict[str, tuple[str, str, tuple[str | int, ...]]] = {
    "BGPPeer": (V1BETA2, "passwordSecret", ("passwordSecret",)),
    "BGPAdvertisement": (V1BETA1, "", ()),
    "BFDProfile": (V1BETA1, "", ()),
    "Community": (V1BETA1, "communities[]", ("communities", 0)),
    "IPAddressPool": (V1BETA1, "serviceAllocation", ("serviceAllocation",)),
}
"""The kinds whose tables are complete: the version, and the place inside of ``spec`` with fields of its own."""


def lines_of(row: Row, folder: Path, version: str = "") -> tuple[list[str], list[str]]:
    """Return the lines that the example of a row adds and takes away."""
    if row.kind not in BASES:
        BASES[row.kind] = render(row.base, folder, VERSION).tree
    before = BASES[row.kind]
    after = render(row.documents(version), folder, VERSION).tree
    added, removed = changes(before, after)
    for line in (line.removesuffix(WHOLE) for line in row.added if line.endswith(WHOLE)):
        assert by_peer(after)[line] == by_peer(before)[row.removed[0]], f"expected {line} to hold what was there before"
    return as_written(added, row.added), as_written(removed, [])


def test_the_page_is_written(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """``--update-golden`` writes the lines that were rendered into the page."""
    if request.config.getoption("--update-golden"):
        fields_page.write({row.number: lines_of(row, tmp_path)[0] for row in ROWS})
        pytest.skip("the page was written; run again without --update-golden")
    assert ROWS, f"expected tables in {fields_page.PAGE}"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_example_adds_the_lines_of_its_row(row: Row, tmp_path: Path) -> None:
    """These and no others are added; what the row says to go goes; nothing means nothing."""
    added, removed = lines_of(row, tmp_path)
    assert added == row.added, f"expected the lines {row.added}, rendered {added}; --update-golden writes them"
    assert set(row.removed) <= set(removed), f"expected without {row.removed}, found without {removed}"
    says_nothing = row.cells["Lines"] == NOTHING
    assert says_nothing is not bool(added or removed), f"expected {row.cells['Lines']!r}, found {added}, {removed}"
    assert says_nothing or row.added or row.removed, "expected the row to say something"


@pytest.mark.parametrize("row", OLDER, ids=str)
def test_a_field_of_the_older_version_becomes_the_same(row: Row, tmp_path: Path) -> None:
    """What v1beta1 has in common with v1beta2 means the same."""
    assert lines_of(row, tmp_path, V1BETA1) == lines_of(row, tmp_path)


@pytest.mark.parametrize("kind", ACCEPTED)
def test_the_table_of_a_kind_has_every_field_that_is_read(kind: str) -> None:
    """A field that the reader accepts and the page does not have, or the other way round, is a mistake."""
    version, place, path = ACCEPTED[kind]
    accepted = known_fields(kind, version)
    if path:
        accepted |= {f"{place}.{name}" for name in known_fields(kind, version, *path)}
    listed = {row.field for row in ROWS if row.kind == kind}
    assert listed == accepted, f"only in the page: {listed - accepted}; only accepted: {accepted - listed}"


def test_the_page_knows_which_fields_the_older_version_has() -> None:
    """The column of v1beta1 is what its reader accepts."""
    listed = {row.field for row in OLDER}
    assert listed == known_fields("BGPPeer", V1BETA1)
    assert all(row.cells["v1beta1"] in {"yes", "no"} for row in ROWS if row.kind == "BGPPeer")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_an_example_names_its_field(row: Row) -> None:
    """The last name of the field stands in its example, or a reader would look for it in vain."""
    name = re.split(r"[.\]]", row.field)[-1]
    assert f"{name}:" in row.example, f"expected {name!r} in the example {row.example!r}"


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_oldest_frr_has_the_lines(row: Row) -> None:
    """A row that adds lines says since when; nothing may be newer than the oldest FRR that is supported."""
    if not row.added:
        assert row.since == "-", f"expected no version where no line is added, found {row.since}"
        return
    major, minor = row.since.split(".")
    assert (int(major), int(minor)) <= OLDEST, f"expected {OLDEST} or older, found {row.since}"


@pytest.fixture(scope="module")
def frr(frr_version: FrrVersion) -> Iterator[BareFrr]:
    """Provide one FRR that all examples are loaded into, one after the other."""
    with BareFrr(frr_version) as running:
        yield running


@pytest.mark.frr
@pytest.mark.parametrize("kind", sorted({row.kind for row in ROWS}))
def test_frr_takes_every_example_and_gives_it_back(kind: str, frr: BareFrr, tmp_path: Path) -> None:
    """Load the configuration of each example over the one before; what runs then is what was rendered."""
    opened = frr.open()
    applier, version = Applier(opened), opened.show("show version")
    for row in (row for row in ROWS if row.kind == kind):
        wanted = render(row.documents(), tmp_path, version).tree
        applier.apply(wanted, "test", reread=True)
        running = running_tree(frr)
        missing, added = difference(wanted, running), difference(running, wanted)
        assert running == wanted, f"{row}: rendered, but not in FRR: {missing}; in FRR, but not rendered: {added}"
        text = frr.vtysh("show running-config")
        for line in (line for line in row.added if not line.endswith(WHOLE)):
            assert re.search(re.escape(line).replace(r"\*", "[0-9a-f]+"), text), f"{row}: FRR does not run {line!r}"
    frr.close_opened()


def running_tree(frr: BareFrr) -> Tree:
    """Return what FRR runs, without the lines that it adds to anything."""
    return without_noise(parse(frr.vtysh("show running-config")))
