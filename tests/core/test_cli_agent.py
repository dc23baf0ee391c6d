"""The commands that ask an agent, against the real server of one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from frrsync.api.server import Server, Sources
from frrsync.cli import main
from frrsync.core.announce import Reason, Route, Verdict
from frrsync.core.model import Mistake, NamespacedName
from frrsync.core.status import AgentStatus, ApplyResult, ConfigDiff, FrrState, LastApply, PendingService, SessionState
from frrsync.core.status_document import document
from frrsync.directory.dump import dump_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

SICK = AgentStatus(
    node="n1",
    version="0.1.0",
    started_at=1_700_000_000.0,
    frr=FrrState(reachable=True, version="10.3"),
    last_apply=LastApply(
        trigger="manifests", at=1_700_000_000.0, duration_seconds=0.008, commands=12, result=ApplyResult.APPLIED
    ),
    sessions=(
        SessionState(peer="192.0.2.1", name="tor1", asn=64512, state="Established", since=1.0, prefixes_sent=2),
        SessionState(peer="2001:db8::1", name="tor2", state="Active", last_reset="Hold timer expired"),
    ),
    services=(
        Verdict(
            service=NamespacedName("default", "web"),
            addresses=("198.51.100.1",),
            routes=(Route(prefix="198.51.100.1/32", advertisements=("all",)),),
        ),
        Verdict(
            service=NamespacedName("default", "db"),
            reason=Reason.NO_LOCAL_ENDPOINTS,
            detail="no [ready] endpoint on \x1b[31mn1",
        ),
    ),
    pending=(PendingService(service=NamespacedName("default", "new"), reason="poolExhausted", message="full"),),
    mistakes=(Mistake(file="pool.yaml", line=7, kind="IPAddressPool", name="m/a", field="spec", message="wrong"),),
    ignored_kinds=("Deployment",),
)
WELL = replace(SICK, sessions=SICK.sessions[:1], pending=(), mistakes=())
DIFF = ConfigDiff(
    missing=(
        ("router bgp 64512", "address-family ipv4 unicast", "network 198.51.100.2/32 route-map a"),
        ("route-map a permit 1",),
        ("route-map a permit 1", "set tag 5"),
    ),
    unexpected=(("router bgp 64512", "neighbor 192.0.2.9 password s3cret"),),
)


@pytest.fixture
def current() -> dict[str, object]:
    """Return what the agent of n1 tells; a test may change it."""
    return {"status": SICK, "diff": DIFF}


@pytest.fixture
def run_dir(tmp_path: Path, current: dict[str, object]) -> Iterator[Path]:
    """Return the folder of the socket of one agent, n1."""
    sources = Sources(
        node="n1",
        status=lambda: current["status"],  # type: ignore[arg-type, return-value]
        desired=lambda: "router bgp 64512\n neighbor 192.0.2.1 password s3cret\n",
        running=lambda: "router bgp 64513\n",
        managed=dict,
        diff=lambda: current["diff"],  # type: ignore[arg-type, return-value]
        vtysh=lambda command: f"answer to {command}",
        health=lambda: None,
        orders={},
    )
    with Server(tmp_path / "agent-n1.sock", sources):
        yield tmp_path


def ask(run_dir: Path, *args: str) -> Result:
    """Run a command with its agents in this folder."""
    return CliRunner().invoke(main, args, env={"FRRSYNC_RUN_DIR": str(run_dir)}, catch_exceptions=False)


def test_status_says_first_what_is_wrong(run_dir: Path) -> None:
    """A person at three in the morning reads the first lines."""
    result = ask(run_dir, "status")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        "node n1: 3 problems",
        "  sessionDown: session to 2001:db8::1 (tor2) is Active, last reset: Hold timer expired",
        "  noAddress: Service default/new has no address: full",
        "  mistakes: 1 mistake in pool.yaml",
    ]
    text = result.stdout
    assert "FRR:        10.3, answers" in text
    assert re.search(r"last apply: applied, 12 lines in 8 ms, \d+ d \d+ h ago, because of: manifests", text)
    assert re.search(r"192\.0\.2\.1 +tor1 +- +64512 +Established +\d+ d \d+ h +2 +- +\?", text), text
    assert re.search(r"2001:db8::1 +tor2 +- +\? +Active +- +\? +- +\?", text), "unknown is ?, never zero"
    assert "services: 1 announced with 1 prefix, 1 not" in text
    assert re.search(r"default/db +- +no +noLocalEndpoints: no \[ready\] endpoint on ", text)
    assert re.search(r"default/web +198\.51\.100\.1 +yes +198\.51\.100\.1/32", text)
    assert "  pool.yaml:7: IPAddressPool m/a: spec: wrong" in lines
    assert "kinds that were ignored: Deployment" in text
    assert "\x1b" not in text, "neither colours in a file, nor the manifest's own control characters"


def test_status_of_a_healthy_node_ends_with_0(run_dir: Path, current: dict[str, object]) -> None:
    """Scripts need no parser to know that all is well."""
    current["status"] = WELL
    result = ask(run_dir, "status", "--node", "n1")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "node n1: all well"


def test_status_of_an_agent_that_has_just_started_is_readable(run_dir: Path, current: dict[str, object]) -> None:
    """Nothing is known yet, and that is what it says."""
    current["status"] = AgentStatus(node="n1", version="0.1.0", started_at=1.0, observe=True)
    result = ask(run_dir, "status")
    assert result.exit_code == 1
    assert "starting: nothing has been applied" in result.stdout
    assert "only observing: nothing is sent to FRR" in result.stdout
    assert "FRR:        version unknown, not asked yet" in result.stdout
    assert "last apply: none yet" in result.stdout
    assert "sessions: none" in result.stdout


def test_long_lists_are_cut_for_people_only(run_dir: Path, current: dict[str, object]) -> None:
    """Nobody reads a thousand rows; a program gets them all."""
    verdicts = tuple(Verdict(service=NamespacedName("default", f"s{number}")) for number in range(1000))
    current["status"] = replace(WELL, services=verdicts)
    assert "... and 950 more: --output json shows all" in ask(run_dir, "status").stdout
    assert len(json.loads(ask(run_dir, "status", "--output", "json").stdout)["services"]) == 1000


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_status_as_a_document_is_that_of_the_agent(run_dir: Path, output: str) -> None:
    """Table, JSON and YAML come from the same document; the exit code is the same too."""
    result = ask(run_dir, "status", "--output", output)
    found = json.loads(result.stdout) if output == "json" else yaml.safe_load(result.stdout)
    assert found == document(SICK)
    assert result.exit_code == 1


def test_the_output_can_come_from_the_environment_and_the_settings_file(run_dir: Path, tmp_path: Path) -> None:
    """Also options that are no settings of a program."""
    file = tmp_path / "settings.toml"
    file.write_text('output = "json"\n')
    assert json.loads(ask(run_dir, "status", "--settings", str(file)).stdout)["node"] == "n1"
    environment = {"FRRSYNC_RUN_DIR": str(run_dir), "FRRSYNC_OUTPUT": "yaml"}
    result = CliRunner().invoke(main, ["status"], env=environment)
    assert yaml.safe_load(result.stdout)["node"] == "n1"


def test_status_watches_until_it_is_interrupted(run_dir: Path) -> None:
    """Ctrl-C is the expected end: no traceback, and the exit code of what was seen last."""
    # A shell starts what runs in the background with SIGINT ignored, and the tests may run there.
    process = subprocess.Popen(
        [
            "/usr/bin/env",
            "--default-signal=INT",
            sys.executable,
            "-m",
            "frrsync",
            "status",
            "--watch",
            "0.1",
            "--output",
            "json",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FRRSYNC_RUN_DIR": str(run_dir)},
    )
    assert process.stdout is not None
    seen = 0
    while seen < 3:
        line = process.stdout.readline()
        assert line, "it ended by itself"
        seen += line.startswith("}")
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, "")


def test_config_prints_what_runs_and_what_is_desired(run_dir: Path) -> None:
    """As FRR writes it, without passwords."""
    assert ask(run_dir, "config", "running").stdout == "router bgp 64513\n"
    desired = ask(run_dir, "config", "desired").stdout
    assert re.fullmatch(r"router bgp 64512\n neighbor 192\.0\.2\.1 password <hidden:[0-9a-f]{8}>\n", desired)
    found = yaml.safe_load(ask(run_dir, "config", "desired", "--output", "yaml").stdout)
    assert found == {"api_version": "v1", "node": "n1", "config": desired}


def test_config_diff_shows_each_context_once(run_dir: Path) -> None:
    """Indented as FRR does, with signs as everybody knows them."""
    result = ask(run_dir, "config", "diff")
    hidden = re.search(r"<hidden:[0-9a-f]{8}>", result.stdout)
    assert hidden is not None
    assert result.stdout == (
        "--- running\n"
        "+++ desired\n"
        " router bgp 64512\n"
        f"- neighbor 192.0.2.9 password {hidden[0]}\n"
        "  address-family ipv4 unicast\n"
        "+  network 198.51.100.2/32 route-map a\n"
        "+route-map a permit 1\n"
        "+ set tag 5\n"
    )
    assert result.exit_code == 1


def test_config_diff_without_a_difference_ends_with_0(run_dir: Path, current: dict[str, object]) -> None:
    """Nothing on standard output, as diff does."""
    current["diff"] = ConfigDiff()
    result = ask(run_dir, "config", "diff")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no difference: FRR runs what is desired\n"


def test_vtysh_asks_the_agent_of_the_node(run_dir: Path) -> None:
    """With or without naming it, when it is the only one."""
    for arguments in (["--node", "n1"], []):
        result = ask(run_dir, "vtysh", *arguments, "--", "show", "bgp", "summary")
        assert (result.exit_code, result.stdout) == (0, "answer to show bgp summary\n")
    found = json.loads(ask(run_dir, "vtysh", "--output", "json", "--", "show bgp summary").stdout)
    assert found["output"] == "answer to show bgp summary"


@pytest.mark.parametrize(
    "words", [["configure", "terminal"], ["show"], ["show version\nconfigure terminal"], ["show a | b"]]
)
def test_vtysh_takes_one_show_command(run_dir: Path, words: list[str]) -> None:
    """It is for looking; whoever wants to change FRR has vtysh."""
    result = ask(run_dir, "vtysh", "--", *words)
    assert result.exit_code == 2
    assert "allowed" in result.stderr


def test_vtysh_without_an_agent_asks_frr_itself(tmp_path: Path) -> None:
    """There is none here, so the error is about FRR's vtysh and not about an agent."""
    result = ask(tmp_path, "vtysh", "--vtysh", str(tmp_path / "vtysh"), "--", "show", "version")
    assert result.exit_code == 2
    assert "Error: cannot run vtysh at" in result.stderr
    assert ask(tmp_path, "vtysh", "--node", "n1", "--", "show", "version").stderr.startswith(
        "Error: no socket of an agent of node n1 in "
    )


@pytest.mark.parametrize(
    "command", [["status"], ["config", "running"], ["config", "desired"], ["config", "diff"], ["status", "--node", "x"]]
)
def test_without_an_agent_the_exit_code_is_2(tmp_path: Path, command: list[str]) -> None:
    """Could not look is not the same as something is wrong."""
    result = ask(tmp_path, *command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.match(r"Error: no socket of an agent .*is --run-dir right\?\n$", result.stderr), result.stderr


def test_yaml_is_written_for_people(tmp_path: Path) -> None:
    """Texts of several lines as blocks, members in their order, no anchors; and it reads back the same."""
    same = ["a", "b"]
    content = {"z": "one\n two\n", "a": same, "b": same, "text": "yes", "none": None, "name": "Zürich"}
    text = dump_yaml(content)
    (tmp_path / "file.yaml").write_text(text)
    assert yaml.safe_load(text) == content
    assert text.startswith("z: |\n  one\n   two\na:\n- a\n")
    assert "&" not in text
    assert "Zürich" in text
