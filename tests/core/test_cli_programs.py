"""The programs as processes: they start without FRR, report, refuse a second one, and stop cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from manifest_builders import POOL, one_file, service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT_SECONDS = 30


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which every folder is this test's own; there is no FRR in it."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text(one_file(POOL, service("web")))
    own = {
        "MANIFESTS": tmp_path / "manifests",
        "STATE_DIR": tmp_path / "state",
        "RUN_DIR": tmp_path / "run",
        "VTY_DIR": tmp_path / "vty",
        "VTYSH": tmp_path / "vtysh",
        "NODE": "n1",
    }
    return {**os.environ, **{f"FRRSYNC_{name}": str(value) for name, value in own.items()}}


@contextmanager
def running(environment: dict[str, str], *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the end of the context."""
    command = [sys.executable, "-m", "frrsync", *args]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)  # noqa: S603 - our own
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=LIMIT_SECONDS)


def ask(environment: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "frrsync", *args]
    return subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, env=environment, check=False, timeout=LIMIT_SECONDS
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file is there, as long as the process that makes it lives."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not path.exists():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{path} is not there after {LIMIT_SECONDS} s"
        time.sleep(0.02)


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, list[str]]:
    """Send a signal and return exit code and names of the logged events."""
    process.send_signal(number)
    _out, err = process.communicate(timeout=LIMIT_SECONDS)
    return process.returncode, [json.loads(line)["event"] for line in err.splitlines()]


@pytest.mark.parametrize(("command", "number"), [("run", signal.SIGTERM), ("agent", signal.SIGINT)])
def test_an_agent_without_frr_reports_and_stops_cleanly(
    environment: dict[str, str], tmp_path: Path, command: str, number: signal.Signals
) -> None:
    """It waits for FRR; status says so; a signal ends it with 0 and takes the socket away."""
    socket = tmp_path / "run" / "agent-n1.sock"
    with running(environment, command) as process:
        wait_for(socket, process)
        status = ask(environment, "status", "--output", "json")
        code, events = stopped(process, number)
    assert status.returncode == 1, status.stderr
    assert json.loads(status.stdout)["ok"] is False
    assert code == 0
    assert (events[0], events[-1]) == ("starting", "stopped")
    assert not socket.exists()


def test_a_second_agent_of_the_node_ends_with_2(environment: dict[str, str], tmp_path: Path) -> None:
    """And the first goes on."""
    with running(environment, "agent") as process:
        wait_for(tmp_path / "run" / "agent-n1.sock", process)
        second = ask(environment, "agent")
        assert second.returncode == 2
        assert "another agent serves on it" in second.stderr
        assert "Traceback" not in second.stderr
        assert ask(environment, "status").returncode == 1


def test_a_controller_keeps_the_record_and_is_the_only_one(environment: dict[str, str], tmp_path: Path) -> None:
    """The address is recorded; a second controller is refused; a signal ends it with 0."""
    record = tmp_path / "state" / "allocations.json"
    with running(environment, "controller") as process:
        wait_for(record, process)
        second = ask(environment, "controller")
        code, events = stopped(process, signal.SIGTERM)
    assert json.loads(record.read_text())["services"] == {
        "default/web": {"addresses": ["198.51.100.0"], "pool": "pool"}
    }
    assert second.returncode == 2
    assert "Traceback" not in second.stderr
    assert code == 0
    assert (events[0], events[-1]) == ("starting", "stopped")


@pytest.mark.parametrize("command", ["run", "agent", "controller"])
def test_a_program_without_a_folder_of_manifests_asks_for_it(environment: dict[str, str], command: str) -> None:
    """Wrong use has exit code 2, and nothing was started."""
    result = ask({**environment, "FRRSYNC_MANIFESTS": ""}, command)
    assert result.returncode == 2
    assert "--manifests is missing" in result.stderr


def test_the_record_may_not_lie_in_the_folder_of_manifests(environment: dict[str, str], tmp_path: Path) -> None:
    """It would wake its own writer."""
    environment["FRRSYNC_STATE_DIR"] = str(tmp_path / "manifests" / "state")
    for command in ("run", "controller"):
        result = ask(environment, command)
        assert result.returncode == 2, command
        assert "lies inside of --manifests" in result.stderr


def test_the_second_signal_ends_a_program_that_does_not_stop() -> None:
    """For the person whose first Ctrl-C seems to hang."""
    code = (
        "import threading\n"
        "from frrsync.cli.program import run_until_stopped\n"
        "from frrsync.settings import Settings\n"
        "def hang(stop):\n"
        "    print('ready', flush=True)\n"
        "    stop.wait()\n"
        "    print('asked', flush=True)\n"
        "    threading.Event().wait()\n"
        "run_until_stopped(Settings(), 'test', hang)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - the text above
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LIMIT_SECONDS) == 128 + signal.SIGTERM
