"""The allocation record on disk: its form, its one writer, and those who watch it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation_builders import full_name, record
from frrsync.core.allocate import Allocation
from frrsync.core.model import NamespacedName
from frrsync.directory.record import RecordReader, RecordText, parse_record
from frrsync.directory.record_watcher import RecordWatcher
from frrsync.directory.state import LOCK_NAME, RECORD_NAME, OwnedRecord, check_state_dir, read_record
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path("allocations.json")
DEADLINE_SECONDS = 10.0

names = st.text('ab0.-"ü', min_size=1, max_size=8)
allocations = st.builds(
    Allocation,
    addresses=st.one_of(
        st.tuples(st.ip_addresses(v=4).map(str)),
        st.tuples(st.ip_addresses(v=6).map(str)),
        st.tuples(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)),
    ),
    pool=names,
)
records = st.dictionaries(st.builds(NamespacedName, names, names), allocations)


@given(records)
def test_a_record_is_read_as_it_was_written(entries: dict[NamespacedName, Allocation]) -> None:
    """Text and back gives the same record, and the text is plain JSON."""
    text = RecordText().of(entries)
    assert json.loads(text)["version"] == 1
    assert parse_record(text, FILE, {}) == entries


@given(records, records)
def test_text_that_was_kept_equals_text_made_anew(
    before: dict[NamespacedName, Allocation], after: dict[NamespacedName, Allocation]
) -> None:
    """Lines kept from the record before never tell an old story."""
    kept = RecordText()
    kept.of(before)
    assert kept.of(after) == RecordText().of(after)


@given(st.lists(records, min_size=1, max_size=4), st.booleans())
def test_a_reader_that_remembers_lines_reads_what_stands_there(
    history: list[dict[NamespacedName, Allocation]], by_hand: bool
) -> None:
    """After any history the record is the one of the text, and what did not change is the same object."""
    reader, before = RecordReader(), None
    for entries in history:
        text = RecordText().of(entries)
        now = reader.read(json.dumps(json.loads(text), indent=2) if by_hand else text, FILE)
        assert now == entries
        again = reader.read(text, FILE)
        assert again == entries
        if before is not None and not by_hand:
            assert all(now[name] is before[name] for name in now if before.get(name) == now[name])
        before = again


def test_the_form_of_the_record_is_the_documented_one() -> None:
    """Version 1, one Service a line, sorted by name."""
    text = RecordText().of(record(web="p:192.0.2.0", dns="p:192.0.2.1,2001:db8::1"))
    assert text == (
        '{\n"version": 1,\n"services": {\n'
        '"default/dns": {"addresses": ["192.0.2.1", "2001:db8::1"], "pool": "p"},\n'
        '"default/web": {"addresses": ["192.0.2.0"], "pool": "p"}\n'
        "}\n}\n"
    )


GOOD = '{"addresses": ["192.0.2.1"], "pool": "p"}'
BROKEN: dict[str, tuple[str, int, str]] = {
    "nothing in it": ("", 1, "Expecting value"),
    "half of it": ('{\n"version": 1,\n"services": {\n"default/a": {"addr', 4, "Unterminated string"),
    "another document": ("[]", 1, "must be an object with the members version and services"),
    "no version": ('{"services": {}}', 1, "must be an object with the members version and services"),
    "a newer version": (
        '{\n"version": 2, "services": {}}',
        2,
        "version 2 is that of a newer frrsync; this one knows 1",
    ),
    "a version that is none": ('{\n\n"version": "1", "services": {}}', 3, "version is '1', it must be 1"),
    "a Service twice": (
        f'{{"version": 1, "services": {{\n"default/a": {GOOD},\n"default/a": {GOOD}}}}}',
        3,
        "member 'default/a' stands twice",
    ),
    "a Service twice in the written form": (
        RecordText()
        .of(record(a="p:192.0.2.1"))
        .replace(f'"default/a": {GOOD}', f'"default/a": {GOOD},\n"default/a": {GOOD}'),
        5,
        "member 'default/a' stands twice",
    ),
    "a line with two Services": (
        RecordText().of(record(a="p:192.0.2.1")).replace(GOOD, f'{GOOD}, "b": {GOOD}'),
        4,
        "Service b: a name must be namespace/name",
    ),
    "a name without namespace": (
        f'{{"version": 1, "services": {{\n"a": {GOOD}}}}}',
        2,
        "Service a: a name must be namespace/name",
    ),
    "a member that is unknown": (
        '{"version": 1, "services": {\n"default/a": {"addresses": [], "pool": "p", "x": 1}}}',
        2,
        "Service default/a: it must be an object with the members addresses and pool",
    ),
    "an address that is none": (
        '{"version": 1, "services": {\n"default/a": {"addresses": ["oops"], "pool": "p"}}}',
        2,
        "Service default/a: 'oops' is not an IP address",
    ),
    "no address": (
        '{"version": 1, "services": {\n"default/a": {"addresses": [], "pool": "p"}}}',
        2,
        "Service default/a: addresses are none; allowed is one, or IPv4 and IPv6",
    ),
    "two of one family": (
        '{"version": 1, "services": {\n"default/a": {"addresses": ["192.0.2.1", "192.0.2.2"], "pool": "p"}}}',
        2,
        "addresses are 192.0.2.1, 192.0.2.2; allowed is one, or IPv4 and IPv6",
    ),
    "no pool": (
        '{"version": 1, "services": {\n"default/a": {"addresses": ["192.0.2.1"], "pool": ""}}}',
        2,
        "Service default/a: pool is '', it must be the name of an IPAddressPool",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_record_is_refused_with_file_and_line_and_stays_as_it_is(name: str, tmp_path: Path) -> None:
    """Who cannot read the record does not allocate, and never overwrites it."""
    text, line, message = BROKEN[name]
    path = tmp_path / RECORD_NAME
    path.write_text(text)
    with pytest.raises(ConfigError) as caught, OwnedRecord(tmp_path):
        pytest.fail("opened a broken record")
    assert str(caught.value).startswith(f"{path}:{line}: broken allocation record: ")
    assert message in str(caught.value)
    assert path.read_text() == text
    path.unlink()
    with OwnedRecord(tmp_path):
        """The lock was given back."""


def test_a_folder_without_record_has_an_empty_one(tmp_path: Path) -> None:
    """Before the first allocation nothing is recorded."""
    assert read_record(tmp_path / "nowhere") == {}


def test_the_record_is_written_only_when_it_says_something_else(tmp_path: Path) -> None:
    """Equal content is not written again; the file is readable by everybody."""
    entries = record(a="p:192.0.2.1")
    old_mask = os.umask(0o077)
    try:
        with OwnedRecord(tmp_path / "state") as owned:
            assert owned.write(entries)
            assert not owned.write(dict(entries))
            assert owned.is_intact()
    finally:
        os.umask(old_mask)
    path = tmp_path / "state" / RECORD_NAME
    assert oct(path.stat().st_mode & 0o777) == "0o644"
    assert read_record(tmp_path / "state") == entries
    assert sorted(item.name for item in path.parent.iterdir()) == [RECORD_NAME, LOCK_NAME]


def test_a_record_that_was_deleted_is_noticed_and_written_again(tmp_path: Path) -> None:
    """The record in memory is the truth of the one who allocates."""
    with OwnedRecord(tmp_path) as owned:
        assert owned.is_intact()
        owned.write(record(a="p:192.0.2.1"))
        (tmp_path / RECORD_NAME).unlink()
        assert not owned.is_intact()
        owned.write(owned.allocated, always=True)
        assert owned.is_intact()
    assert read_record(tmp_path) == record(a="p:192.0.2.1")


def test_a_second_allocator_is_told_who_holds_the_record(tmp_path: Path) -> None:
    """The message names the process; after it ended the record is free again."""
    with (
        OwnedRecord(tmp_path),
        pytest.raises(ConfigError, match=rf"in use by process {os.getpid()}\b"),
        OwnedRecord(tmp_path),
    ):
        pytest.fail("two own one record")
    with OwnedRecord(tmp_path):
        """Free again."""


def test_an_allocator_whose_lock_was_deleted_and_taken_stops_writing(tmp_path: Path) -> None:
    """Even who deletes the lock by hand does not get two writers."""
    with OwnedRecord(tmp_path) as first:
        (tmp_path / LOCK_NAME).unlink()
        first.write(record(a="p:192.0.2.1"))
        (tmp_path / LOCK_NAME).unlink()
        with OwnedRecord(tmp_path), pytest.raises(ConfigError, match="in use by process"):
            first.write(record(a="p:192.0.2.2"))
        assert read_record(tmp_path) == record(a="p:192.0.2.1")


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way is an error with its path."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--state-dir .*/file/state cannot be used as state folder"):
        OwnedRecord(tmp_path / "file" / "state").__enter__()


@pytest.mark.parametrize(
    ("state", "allowed"), [("m/state", False), ("m", False), ("s", True), ("link", False), ("m2", True)]
)
def test_a_state_folder_inside_of_the_manifests_is_refused(state: str, allowed: bool, tmp_path: Path) -> None:
    """Also behind a symbolic link."""
    (tmp_path / "m").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "m")
    if allowed:
        check_state_dir(tmp_path / state, tmp_path / "m")
    else:
        with pytest.raises(ConfigError, match=r"lies inside of --manifests"):
            check_state_dir(tmp_path / state, tmp_path / "m")


WRITER = """
import sys
from pathlib import Path
from frrsync.core.allocation import Allocation
from frrsync.core.model import NamespacedName
from frrsync.directory.state import OwnedRecord

with OwnedRecord(Path(sys.argv[1])) as owned:
    print("locked", flush=True)
    for turn in range(1_000_000):
        pool = f"pool{turn}"
        owned.write({
            NamespacedName("default", f"s{number}"): Allocation(addresses=(f"192.0.2.{number}",), pool=pool)
            for number in range(200)
        })
"""


@contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that writes the record again and again."""
    command = [sys.executable, "-c", WRITER, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own text
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_killed_allocator_leaves_a_whole_record_and_no_lock(tmp_path: Path) -> None:
    """Kill -9 in the middle of writing, five times: what is on disk is one of the records written."""
    for turn in range(5):
        with writer(tmp_path) as process:
            with pytest.raises(ConfigError, match=rf"in use by process {process.pid}\b"), OwnedRecord(tmp_path):
                pytest.fail("two own one record")
            until = time.monotonic() + 0.05 * turn
            while time.monotonic() < until or not (tmp_path / RECORD_NAME).exists():
                found = read_record(tmp_path)
                assert len({entry.pool for entry in found.values()}) <= 1, "parts of two records"
            process.send_signal(signal.SIGKILL)
            process.wait()
        with OwnedRecord(tmp_path) as owned:
            assert len(owned.allocated) == 200
            assert len({entry.pool for entry in owned.allocated.values()}) == 1


@contextmanager
def watched(folder: Path, *, look_seconds: float = 60.0) -> Iterator[tuple[RecordWatcher, Event]]:
    """Watch a record; the event is set by every change. Without events a test would wait a minute."""
    changed = Event()
    watcher = RecordWatcher(folder, changed.set, look_seconds=look_seconds)
    watcher.start()
    try:
        yield watcher, changed
    finally:
        watcher.stop()


def test_an_agent_wakes_at_once_when_the_record_changes(tmp_path: Path) -> None:
    """The median of ten changes is heard within 50 milliseconds, and read with what did not change kept."""
    with OwnedRecord(tmp_path) as owned, watched(tmp_path) as (watcher, changed):
        assert watcher.read() is None
        owned.write(record(a="p:192.0.2.1"))
        assert changed.wait(DEADLINE_SECONDS)
        first = watcher.read()
        assert first == record(a="p:192.0.2.1")
        assert watcher.read() is first
        took = []
        for number in range(2, 12):
            changed.clear()
            owned.write(record(a="p:192.0.2.1", b=f"p:192.0.2.{number}"))
            written = time.monotonic()
            assert changed.wait(DEADLINE_SECONDS)
            took.append(time.monotonic() - written)
            now = watcher.read()
            assert first is not None
            assert now is not None
            assert now[full_name("a")] is first[full_name("a")]
            assert now[full_name("b")].addresses == (f"192.0.2.{number}",)
        assert sorted(took)[5] < 0.05, took


def test_a_record_whose_folder_comes_later_is_found(tmp_path: Path) -> None:
    """An agent may start before the controller ever ran."""
    with watched(tmp_path / "later") as (watcher, changed):
        assert watcher.read() is None
        with OwnedRecord(tmp_path / "later") as owned:
            owned.write(record(a="p:192.0.2.1"))
            assert changed.wait(DEADLINE_SECONDS)
            assert watcher.read() == record(a="p:192.0.2.1")
            deadline = time.monotonic() + DEADLINE_SECONDS
            while watcher.problem and time.monotonic() < deadline:
                time.sleep(0.01)
            changed.clear()
            owned.write(record(a="p:192.0.2.2"))
            assert changed.wait(DEADLINE_SECONDS)


def test_a_record_is_found_without_any_event(tmp_path: Path) -> None:
    """The look from time to time finds what no event told."""
    with watched(tmp_path, look_seconds=0.05) as (watcher, changed):
        watcher.unwatch()
        with OwnedRecord(tmp_path) as owned:
            owned.write(record(a="p:192.0.2.1"))
        assert changed.wait(DEADLINE_SECONDS)


def test_a_vanished_or_broken_record_is_an_error_for_those_who_announce(tmp_path: Path) -> None:
    """Never an empty record: that would withdraw everything."""
    with OwnedRecord(tmp_path) as owned, watched(tmp_path) as (watcher, changed):
        owned.write(record(a="p:192.0.2.1"))
        assert watcher.read()
        changed.clear()
        (tmp_path / RECORD_NAME).unlink()
        assert changed.wait(DEADLINE_SECONDS)
        with pytest.raises(ConfigError, match="has vanished"):
            watcher.read()
        (tmp_path / RECORD_NAME).write_text("{")
        with pytest.raises(ConfigError, match="broken allocation record"):
            watcher.read()
        owned.write(record(a="p:192.0.2.2"))
        assert watcher.read() == record(a="p:192.0.2.2")
