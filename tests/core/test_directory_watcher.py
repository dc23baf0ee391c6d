"""Changes of real files are noticed at once, by what editors, git and Kubernetes do to them."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from frrsync.directory import watcher as watcher_module
from frrsync.directory.watcher import Changes, ManifestWatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEADLINE_SECONDS = 10.0


class Noticed:
    """A watcher under test, and what it told."""

    def __init__(self, folder: Path, rescan_seconds: float = 3600) -> None:
        self._woken = threading.Event()
        self.watcher = ManifestWatcher(folder, self._woken.set, rescan_seconds=rescan_seconds)

    def until(self, reached: Callable[[Changes], bool]) -> Changes:
        """Gather changes until enough is known; fails at the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        paths: frozenset[Path] = frozenset()
        everything = False
        while time.monotonic() < deadline:
            changes = self.watcher.drain()
            paths, everything = paths | changes.paths, everything or changes.everything
            if reached(Changes(paths, everything)):
                return Changes(paths, everything)
            self._woken.wait(0.05)
            self._woken.clear()
        pytest.fail(f"expected more within {DEADLINE_SECONDS} s, found {paths}, everything {everything}")

    def path(self, *paths: Path) -> Changes:
        """Wait until these paths, or everything, have been told."""
        return self.until(lambda found: found.everything or found.paths >= set(paths))

    def silent(self, seconds: float = 0.3) -> None:
        """Fail if anything is told in this time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            changes = self.watcher.drain()
            assert not changes, f"expected nothing, found {changes}"
            self._woken.wait(0.02)
            self._woken.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder to watch, beside room for other files."""
    path = tmp_path / "manifests"
    path.mkdir()
    return path


@pytest.fixture
def noticed(folder: Path) -> Iterator[Noticed]:
    """Watch that folder for the time of a test."""
    result = Noticed(folder)
    result.watcher.start()
    yield result
    result.watcher.stop()


def test_a_written_file_is_told_when_it_is_closed(folder: Path, noticed: Noticed) -> None:
    """Nothing is said about a file that is half-written."""
    with (folder / "a.yaml").open("w") as file:
        file.write("half")
        file.flush()
        started = time.monotonic()
        while time.monotonic() - started < 0.3:
            # Somebody goes on writing, as somebody does who takes long.
            file.write("more")
            file.flush()
            noticed.silent(0.02)
    assert noticed.path(folder / "a.yaml").paths == {folder / "a.yaml"}


def test_a_change_is_told_within_milliseconds(folder: Path, noticed: Noticed) -> None:
    """The median of ten writes and renames; the limit leaves room for a busy machine."""
    times = []
    for number in range(10):
        file = folder / "a.yaml"
        started = time.monotonic()
        if number % 2:
            file.write_text(str(number))
        else:
            (folder / ".a.tmp").write_text(str(number))
            (folder / ".a.tmp").rename(file)
        noticed.path(file)
        times.append(time.monotonic() - started)
    median = sorted(times)[5]
    assert median < 0.05, f"expected a median of a few ms, found {median * 1000:.1f} ms"


def test_a_file_moved_in_from_elsewhere_is_told(folder: Path, noticed: Noticed, tmp_path: Path) -> None:
    """It is complete the moment it appears."""
    (tmp_path / "x").write_text("a: 1")
    (tmp_path / "x").rename(folder / "x.yaml")
    assert noticed.path(folder / "x.yaml").paths == {folder / "x.yaml"}


def test_a_renamed_file_is_told_under_both_names_at_once(folder: Path, noticed: Noticed) -> None:
    """So that its objects are never gone in between."""
    (folder / "a.yaml").write_text("a: 1")
    noticed.path(folder / "a.yaml")
    (folder / "a.yaml").rename(folder / "b.yaml")
    first = noticed.until(bool)
    assert folder / "b.yaml" in first.paths
    noticed.path() if folder / "a.yaml" in first.paths else noticed.path(folder / "a.yaml")


@pytest.mark.parametrize("leave", ["unlink", "move"])
def test_a_file_that_went_is_told(folder: Path, noticed: Noticed, tmp_path: Path, leave: str) -> None:
    """By deletion as by moving it away."""
    file = folder / "a.yaml"
    file.write_text("a: 1")
    noticed.path(file)
    if leave == "unlink":
        file.unlink()
    else:
        file.rename(tmp_path / "gone")
    assert noticed.path(file).paths == {file}


@pytest.mark.parametrize("editor", ["vim", "git"])
def test_a_file_that_is_replaced_is_never_told_while_it_is_gone(folder: Path, noticed: Noticed, editor: str) -> None:
    """Vim moves it away and git deletes it before they write the new one; nothing is withdrawn for that."""
    file = folder / "a.yaml"
    file.write_text("old")
    noticed.path(file)
    for _ in range(20):
        if editor == "vim":
            file.rename(folder / "a.yaml~")
        else:
            file.unlink()
        gone = noticed.watcher.drain()
        file.write_text("new")
        assert not gone, f"expected no word while the file was gone, found {gone}"
        noticed.path(file)


@pytest.mark.parametrize("name", [".a.yaml", "a.yaml~", "#a.yaml#", ".a.yaml.swp", "4913", "notes.txt"])
def test_files_that_are_no_manifests_wake_nobody(folder: Path, noticed: Noticed, name: str) -> None:
    """Editors write a lot beside the file itself."""
    (folder / name).write_text("x")
    (folder / name).unlink()
    noticed.silent()


def test_folders_that_come_and_go_are_followed(folder: Path, noticed: Noticed, tmp_path: Path) -> None:
    """A new one, one with files already in it, one that is renamed, one that is deleted."""
    (folder / "sub").mkdir()
    (folder / "sub" / "a.yaml").write_text("a: 1")
    noticed.path(folder / "sub" / "a.yaml")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "b.yaml").write_text("b: 1")
    (tmp_path / "full").rename(folder / "full")
    noticed.path(folder / "full" / "b.yaml")
    (folder / "full").rename(folder / "other")
    noticed.path(folder / "other" / "b.yaml", folder / "full" / "b.yaml")
    noticed.until(lambda found: found.everything)
    (folder / "other" / "b.yaml").write_text("b: 2")
    noticed.path(folder / "other" / "b.yaml")
    noticed.watcher.drain()
    shutil.rmtree(folder / "other")
    noticed.path(folder / "other" / "b.yaml")


def swap(folder: Path, generation: int) -> None:
    """Change a mounted ConfigMap as the kubelet does it: a new folder, and one rename of a link."""
    new = folder / f"..2026_{generation}"
    new.mkdir()
    (new / "web.yaml").write_text(f"generation: {generation}")
    (folder / "..data_tmp").symlink_to(new.name)
    (folder / "..data_tmp").rename(folder / "..data")
    old = folder / f"..2026_{generation - 1}"
    if old.exists():
        shutil.rmtree(old)


def test_a_mounted_configmap_is_followed(folder: Path, noticed: Noticed) -> None:
    """The files are links through ``..data``; only that link is replaced, and nothing else tells of it."""
    swap(folder, 1)
    (folder / "web.yaml").symlink_to("..data/web.yaml")
    noticed.path(folder / "web.yaml")
    for generation in (2, 3):
        noticed.watcher.drain()
        swap(folder, generation)
        noticed.until(lambda found: found.everything)
        assert (folder / "web.yaml").read_text() == f"generation: {generation}"


def test_a_folder_that_vanishes_and_comes_back_is_watched_again(folder: Path, noticed: Noticed) -> None:
    """Whether it is deleted, renamed, or replaced by another one."""
    for leave in ("delete", "rename", "replace"):
        noticed.watcher.drain()
        if leave == "delete":
            shutil.rmtree(folder)
        else:
            folder.rename(folder.parent / f"old-{leave}")
        if leave != "replace":
            noticed.until(lambda found: found.everything)
        folder.mkdir()
        noticed.until(lambda found: found.everything)
        # The watch may take a moment after the word about the folder; a write is told in the end.
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            (folder / "a.yaml").write_text(leave)
            time.sleep(0.02)
            if folder / "a.yaml" in noticed.watcher.drain().paths:
                break
            assert time.monotonic() < deadline, f"expected a watch again after {leave}"


def test_a_folder_behind_a_link_is_watched(tmp_path: Path) -> None:
    """Paths are told as the user named the folder; a link that points elsewhere is followed."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    link = tmp_path / "current"
    link.symlink_to("one")
    noticed = Noticed(link)
    noticed.watcher.start()
    try:
        (tmp_path / "one" / "a.yaml").write_text("a: 1")
        assert noticed.path(link / "a.yaml").paths == {link / "a.yaml"}
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").rename(link)
        noticed.until(lambda found: found.everything)
        (tmp_path / "two" / "b.yaml").write_text("b: 1")
        noticed.path(link / "b.yaml")
    finally:
        noticed.watcher.stop()


def test_what_no_event_tells_is_found_by_looking(folder: Path, tmp_path: Path) -> None:
    """A link to a file elsewhere is not watched, but its time and size are looked at."""
    target = tmp_path / "target"
    target.write_text("a: 1")
    os.utime(target, (1, 1))
    (folder / "a.yaml").symlink_to(target)
    noticed = Noticed(folder, rescan_seconds=0.2)
    noticed.watcher.start()
    try:
        noticed.silent(0.5)
        target.write_text("a: 2, longer")
        assert noticed.path(folder / "a.yaml").paths == {folder / "a.yaml"}
    finally:
        noticed.watcher.stop()


def test_a_file_that_is_still_open_is_left_alone_by_the_look(folder: Path) -> None:
    """``helm template > file`` empties it at once and writes seconds later."""
    file = folder / "a.yaml"
    file.write_text("a: 1")
    os.utime(file, (1, 1))
    noticed = Noticed(folder, rescan_seconds=0.2)
    noticed.watcher.start()
    try:
        with file.open("w") as writer:
            noticed.silent(watcher_module.STILL_WRITTEN_SECONDS + 0.8)
            writer.write("a: 2")
        assert noticed.path(file).paths == {file}
    finally:
        noticed.watcher.stop()


def test_a_file_whose_closing_nobody_tells_is_found_in_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event may be lost; a file is not left alone for ever."""
    monkeypatch.setattr(watcher_module, "NOT_CLOSED_SECONDS", 2.0)
    file = folder / "a.yaml"
    file.write_text("a: 1")
    noticed = Noticed(folder, rescan_seconds=0.2)
    noticed.watcher.start()
    try:
        with file.open("w"):
            assert noticed.path(file).paths == {file}
    finally:
        noticed.watcher.stop()


def test_without_watches_the_folder_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no watches left says so, and changes arrive all the same."""

    def refuse(**_options: object) -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(watcher_module, "InotifyObserver", refuse)
    noticed = Noticed(folder, rescan_seconds=0.2)
    noticed.watcher.start()
    try:
        assert "inotify instance limit reached" in noticed.watcher.problem
        (folder / "a.yaml").write_text("a: 1")
        noticed.path(folder / "a.yaml")
    finally:
        noticed.watcher.stop()


def test_a_stopped_watcher_leaves_no_thread(folder: Path) -> None:
    """Start and stop, also of a folder that is not there, give back everything."""
    before = threading.active_count()
    for path in (folder, folder / "missing"):
        watcher = ManifestWatcher(path, lambda: None)
        watcher.start()
        watcher.stop()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before, f"found {threading.enumerate()}"
