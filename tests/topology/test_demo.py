"""``make demo`` as an operator meets it: what it prints, that its hints work, and that nothing stays behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from frrsync.lab import process
from frrsync.lab.lab import HOME, Lab, labs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion

pytestmark = [pytest.mark.topology, pytest.mark.frr]

REPOSITORY = Path(__file__).parents[2]
LIMIT = 120
"""Seconds for a whole demo; it takes 25 on two idle cores."""


@pytest.fixture
def name() -> Iterator[str]:
    """Return a name for a lab of this test alone, and take the lab down should the demo have left it."""
    chosen = f"d{os.getpid() % 0x1000000:x}"
    yield chosen
    if chosen in labs():
        Lab.open(chosen).down()


def start(name: str, *options: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a demo that writes to a file."""
    command = [sys.executable, "-m", "frrsync.lab.demo", "--name", name, *options]
    plain = {key: value for key, value in os.environ.items() if not key.startswith("DEMO_")}
    return subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=REPOSITORY, env=plain)  # noqa: S603 - our own program


def wait_for(text: str, file: Path, running: subprocess.Popen[bytes]) -> None:
    """Wait until the demo has printed a text."""

    def printed() -> bool:
        return text in file.read_text("utf-8") or running.poll() is not None

    process.wait_until(printed, what=f"{text!r} of the demo", seconds=LIMIT, pause=0.1)
    found = file.read_text("utf-8")
    assert text in found, f"expected {text!r}, found the end of the demo:\n{found}"


def assert_nothing_left(name: str) -> None:
    """Look for namespaces, processes and the folder of the lab."""
    left = [path.name for path in process.NAMESPACES.glob(f"{name}-*")]
    left += [path.name for path in HOME.glob(f"*{name}*")]
    for entry in process.PROC.glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        left += [command] if name in command else []
    assert not left, f"expected nothing of the lab {name}, found {left}"


def seconds_after(label: str, text: str) -> list[float]:
    """Return the times that the demo printed for both routers behind a label."""
    found = re.search(rf"^  {label} .*: tor-1 ([\d.]+) s, tor-2 ([\d.]+) s$", text, re.MULTILINE)
    assert found, f"expected a line {label!r} with the times of tor-1 and tor-2, found\n{text}"
    return [float(number) for number in found.groups()]


def test_the_demo_tells_its_story_and_leaves_nothing(frr_version: FrrVersion, name: str, tmp_path: Path) -> None:
    """Addresses, three next hops, answers of all nodes, BFD, the way back and a change, in a hundred columns."""
    file = tmp_path / "output"
    with file.open("wb") as output:
        status = start(name, "--once", "--frr", frr_version, output=output).wait(LIMIT)
    text = file.read_text("utf-8")
    assert status == 0, f"expected exit status 0, found {status}:\n{text}"

    whole = r"\* 10\.250\.0\.1, via node-1.*\n.*\* 10\.250\.0\.3, via node-2.*\n.*\* 10\.250\.0\.5, via node-3"
    assert len(re.findall(whole, text)) == 2, f"expected three next hops before and after the failure, found\n{text}"
    for fact in (
        "198.51.100.1, 2001:db8:5e::100  yes",
        "set community 64700:100",
        "-  aggregationLength: 32\n",
        "+  aggregationLength: 24\n",
        "routing table entry for 198.51.100.0/24",
        "routing table entry for 2001:db8:5e::100/120",
        "none was reset",
    ):
        assert fact in text, f"expected {fact!r}, found\n{text}"
    assert text.count("Community: 64700:200") == 6, f"expected the community on three paths of each family\n{text}"
    assert max(seconds_after("withdrawn", text)) < 3, f"expected BFD to be quick, found\n{text}"
    wide = [line for line in text.splitlines() if len(line) > 100]
    assert not wide, f"expected at most 100 columns, found {wide}"
    assert len(text.splitlines()) < 170, f"expected a text that can be read, found {len(text.splitlines())} lines"
    assert_nothing_left(name)


def test_a_killed_demo_is_cleaned_up_by_the_next_which_ends_with_ctrl_c(name: str, tmp_path: Path) -> None:
    """SIGKILL in the midst, then a demo that waits; what it proposes to type works; Ctrl-C is exit status 0."""
    first, second = tmp_path / "first", tmp_path / "second"
    with first.open("wb") as output:
        killed = start(name, output=output)
        wait_for("2. A Service", first, killed)
        killed.kill()
        killed.wait()
    assert name in labs(), "expected a killed demo to leave its lab"

    with second.open("wb") as output:
        running = start(name, output=output)
        try:
            wait_for("until you press Ctrl-C", second, running)
            text = second.read_text("utf-8")
            assert f"Removing what a killed demo left behind: lab {name}" in text, text
            proposed = [line.strip() for line in text.partition("in another terminal\n")[2].splitlines()]
            run_proposed([line for line in proposed if line.startswith(("cd ", ".venv", "/", "ls "))])
        finally:
            running.send_signal(signal.SIGINT)
            status = running.wait(60)
    assert status == 0, f"expected exit status 0 after Ctrl-C, found {status}:\n{second.read_text('utf-8')}"
    assert_nothing_left(name)


def run_proposed(lines: list[str]) -> None:
    """Run what the demo proposes; what goes on for ever is stopped after a moment."""
    assert len(lines) >= 8, f"expected the proposals of the demo, found {lines}"
    for line in lines:
        started = time.monotonic()
        command = f"timeout -s INT 3 {line}" if "monitor" in line else line
        done = subprocess.run(  # noqa: S603 - our own proposals
            ["bash", "-c", command],  # noqa: S607
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        took = time.monotonic() - started
        allowed = (0, 124) if "monitor" in line else (0,)
        assert done.returncode in allowed, f"{line!r} ended with {done.returncode} in {took:.1f} s: {done.stderr}"


def test_an_interrupt_amid_the_story_leaves_nothing(name: str, tmp_path: Path) -> None:
    """Ctrl-C while the lab is built: exit status 130, as shells know it."""
    file = tmp_path / "output"
    with file.open("wb") as output:
        running = start(name, output=output)
        process.wait_until((HOME / name).exists, what="folder of the lab", seconds=30)
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGINT)
        status = running.wait(60)
    assert status == 130, f"expected exit status 130, found {status}:\n{file.read_text('utf-8')}"
    assert_nothing_left(name)
