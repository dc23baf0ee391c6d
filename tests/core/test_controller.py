"""The controller on a real folder, a real record, and as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from allocation_builders import full_name, record, short
from frrsync import controller
from frrsync.directory.allocation_loop import MOST_EVENTS, AllocationLoop
from frrsync.directory.state import RECORD_NAME, OwnedRecord, read_record
from frrsync.directory.store import ManifestStore
from frrsync.errors import ConfigError
from frrsync.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from pathlib import Path

DEADLINE_SECONDS = 10.0


def service(name: str, **spec: Any) -> str:
    """Return the manifest of a Service."""
    document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **spec},
    }
    return json.dumps(document)


def pool(*addresses: str, name: str = "p") -> str:
    """Return the manifest of a pool."""
    document = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": name, "namespace": "metallb-system"},
        "spec": {"addresses": list(addresses)},
    }
    return json.dumps(document)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of manifests with one pool."""
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "pool.json").write_text(pool("192.0.2.0/30"))
    return manifests


@pytest.fixture
def events() -> Iterator[list[MutableMapping[str, Any]]]:
    """Return what is logged."""
    with structlog.testing.capture_logs() as found:
        yield found


def settings_of(folder: Path, **more: Any) -> Settings:
    """Return settings with the state folder beside the manifests."""
    return Settings(manifests=folder, state_dir=folder.parent / "state", **more)


def until(is_true: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def recorded(folder: Path) -> dict[str, str]:
    """Return the record, short."""
    return {
        str(name).removeprefix("default/"): ",".join(allocation.addresses)
        for name, allocation in read_record(folder.parent / "state").items()
    }


@contextmanager
def running(folder: Path, **more: Any) -> Iterator[None]:
    """Run the controller in a thread until the context ends; it has to end cleanly."""
    stop, problems = Event(), []

    def target() -> None:
        try:
            controller.run(settings_of(folder, **more), stop=stop)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.append(error)

    thread = Thread(target=target)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()
    assert not problems


def test_services_come_and_go_and_the_record_follows(folder: Path, events: list[Any]) -> None:
    """A manifest written is an address recorded; a manifest deleted gives it to who waits."""
    for name in "abcd":
        (folder / f"{name}.json").write_text(service(name))
    with running(folder):
        everybody = {"a": "192.0.2.0", "b": "192.0.2.1", "c": "192.0.2.2", "d": "192.0.2.3"}
        until(lambda: recorded(folder) == everybody, "four addresses")
        (folder / "e.json").write_text(service("e"))
        until(lambda: any(event["event"] == "service_pending" for event in events), "e waits")
        (folder / "b.json").unlink()
        until(lambda: recorded(folder).get("e") == "192.0.2.1", "e gets the address of b")
    told = [{key: value for key, value in event.items() if key not in {"log_level", "part"}} for event in events]
    assert {"event": "address_allocated", "service": "default/a", "addresses": ["192.0.2.0"], "pool": "p"} in told
    assert {
        "event": "service_pending",
        "service": "default/e",
        "reason": "poolExhausted",
        "message": "no address is free in IPAddressPool p (IPv4 or IPv6)",
    } in told
    assert {"event": "address_released", "service": "default/b", "addresses": ["192.0.2.1"], "pool": "p"} in told


def test_a_change_is_in_the_record_within_a_tenth_of_a_second(folder: Path) -> None:
    """The median of ten new manifests; nobody waits for things to settle."""
    (folder / "pool.json").write_text(pool("192.0.2.0/24"))
    took = []
    with running(folder):
        until((folder.parent / "state" / "lock").exists, "a lock")
        for number in range(11):
            start = time.monotonic()
            (folder / f"s{number}.json").write_text(service(f"s{number}"))
            until(lambda name=f"s{number}": name in recorded(folder), "an address")  # type: ignore[misc]
            took.append(time.monotonic() - start)
    assert sorted(took[1:])[5] < 0.1, took


def test_a_restart_keeps_every_address(folder: Path) -> None:
    """Whatever was added and deleted meanwhile, in whatever order."""
    (folder / "m.json").write_text(service("m"))
    with running(folder):
        until(lambda: recorded(folder) == {"m": "192.0.2.0"}, "an address")
    (folder / "a.json").write_text(service("a"))
    with running(folder):
        until(lambda: recorded(folder) == {"m": "192.0.2.0", "a": "192.0.2.1"}, "two addresses")


@pytest.mark.parametrize(
    "text", ["kind: Service\nmetadata: {name: m, na", '{"kind": "Service", "metadata": {"name": "m"}, "x": 1}']
)
def test_a_service_whose_manifest_is_broken_at_the_start_keeps_its_address(text: str, folder: Path) -> None:
    """Broken while nobody looked: the record remembers, and nobody else gets the address."""
    (folder / "m.json").write_text(service("m"))
    with running(folder):
        until(lambda: recorded(folder) == {"m": "192.0.2.0"}, "an address")
    (folder / "m.json").unlink()
    (folder / "m.yaml").write_text(text)
    (folder / "a.json").write_text(service("a"))
    with running(folder):
        until(lambda: recorded(folder) == {"m": "192.0.2.0", "a": "192.0.2.1"}, "m keeps, a gets the next")
        (folder / "m.yaml").unlink()
        until(lambda: recorded(folder) == {"a": "192.0.2.1"}, "m is really gone")


def test_a_folder_that_is_not_there_releases_nothing(folder: Path) -> None:
    """Neither at the start nor later."""
    (folder / "m.json").write_text(service("m"))
    with running(folder):
        until(lambda: recorded(folder) == {"m": "192.0.2.0"}, "an address")
    hidden = folder.rename(folder.parent / "hidden")
    with running(folder):
        until((folder.parent / "state" / "lock").exists, "a lock")
        time.sleep(0.3)  # what must not happen has no event to wait for
        assert recorded(folder) == {"m": "192.0.2.0"}
        (hidden / "n.json").write_text(service("n"))
        hidden.rename(folder)
        until(lambda: recorded(folder) == {"m": "192.0.2.0", "n": "192.0.2.1"}, "the folder came back")
        folder.rename(hidden)
        time.sleep(0.5)  # as above
        assert recorded(folder) == {"m": "192.0.2.0", "n": "192.0.2.1"}


def test_mistakes_are_logged_once(folder: Path, events: list[Any]) -> None:
    """With file and field, those of overlapping pools too."""
    (folder / "q.json").write_text(pool("192.0.2.2/32", name="q"))
    (folder / "bad.yaml").write_text("kind: [")
    (folder / "a.json").write_text(service("a"))
    with running(folder):
        until(lambda: bool(recorded(folder)), "an address in spite of the mistakes")
        (folder / "b.json").write_text(service("b"))
        until(lambda: len(recorded(folder)) == 2, "another one")
    found = [(event["file"], event["field"]) for event in events if event["event"] == "mistake"]
    assert sorted(found) == [(str(folder / "bad.yaml"), ""), (str(folder / "q.json"), "spec.addresses[0]")]


def test_a_deleted_record_is_written_again(folder: Path) -> None:
    """At the next change or check."""
    (folder / "a.json").write_text(service("a"))
    with running(folder, check_interval=0.1):
        until(lambda: recorded(folder) == {"a": "192.0.2.0"}, "an address")
        (folder.parent / "state" / RECORD_NAME).unlink()
        until(lambda: recorded(folder) == {"a": "192.0.2.0"}, "the record again")


def test_a_broken_record_stops_the_start_and_stays(folder: Path) -> None:
    """Rather no allocation than other addresses than before."""
    state = folder.parent / "state"
    state.mkdir()
    (state / RECORD_NAME).write_text("{")
    with pytest.raises(ConfigError, match="broken allocation record"):
        controller.run(settings_of(folder), stop=Event())
    assert (state / RECORD_NAME).read_text() == "{"


def test_a_state_folder_inside_of_the_manifests_stops_the_start(folder: Path) -> None:
    """It would be a folder that changes itself."""
    with pytest.raises(ConfigError, match=r"lies inside of --manifests"):
        controller.run(Settings(manifests=folder, state_dir=folder / "state"), stop=Event())


def test_a_step_that_cannot_be_recorded_gives_no_address_and_is_tried_again(folder: Path) -> None:
    """Nobody announces what the record does not hold."""
    (folder / "a.json").write_text(service("a"))
    state_dir = folder.parent / "state"
    found = ManifestStore([folder]).rescan()
    with OwnedRecord(state_dir) as owned:
        allocation = AllocationLoop(owned, load_balancer_class="")
        (state_dir / f".{RECORD_NAME}.new").mkdir()
        with pytest.raises(ConfigError, match="cannot be written: Is a directory"):
            allocation.step(found)
        assert recorded(folder) == {}
        (state_dir / f".{RECORD_NAME}.new").rmdir()
        result = allocation.step(found)
        assert short(result) == {"a": "192.0.2.0"}
        assert recorded(folder) == {"a": "192.0.2.0"}
        assert allocation.step(found) is result


def test_a_step_with_very_many_changes_logs_a_part_of_them(folder: Path, events: list[Any]) -> None:
    """Ten thousand lines would delay the addresses."""
    (folder / "pool.json").write_text(pool("10.0.0.0/16"))
    (folder / "all.yaml").write_text("\n---\n".join(service(f"s{number}") for number in range(MOST_EVENTS + 5)))
    with OwnedRecord(folder.parent / "state") as owned:
        AllocationLoop(owned, load_balancer_class="").step(ManifestStore([folder]).rescan())
    assert len([event for event in events if event["event"] == "address_allocated"]) == MOST_EVENTS
    assert [event["count"] for event in events if event["event"] == "more_events"] == [5]


def test_recorded_addresses_are_no_news_after_a_restart(folder: Path, events: list[Any]) -> None:
    """The log tells what changed, not what is."""
    (folder / "a.json").write_text(service("a"))
    found = ManifestStore([folder]).rescan()
    with OwnedRecord(folder.parent / "state") as owned:
        owned.write(record(a="p:192.0.2.3"))
        result = AllocationLoop(owned, load_balancer_class="").step(found)
    assert result.allocated[full_name("a")].addresses == ("192.0.2.3",)
    assert not events


def test_the_command_stops_cleanly_and_a_second_one_is_refused(folder: Path) -> None:
    """As a process: SIGTERM ends it with 0, and while it runs another one says who runs."""
    (folder / "a.json").write_text(service("a"))
    command = [sys.executable, "-m", "frrsync", "controller", "--manifests", str(folder)]
    command += ["--state-dir", str(folder.parent / "state")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        until(lambda: recorded(folder) == {"a": "192.0.2.0"}, "an address")
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
        assert second.returncode != 0
        assert f"in use by process {process.pid}" in second.stderr
        assert "Traceback" not in second.stderr
        os.kill(process.pid, signal.SIGTERM)
        _, log_text = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, log_text
    assert "Traceback" not in log_text
