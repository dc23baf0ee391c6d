"""One password, followed everywhere: nobody but FRR and its file may ever hold it in clear text."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

import pytest

from frrsync import log
from frrsync.agent.gateway import GatewayWatch
from frrsync.agent.loop import Loop
from frrsync.agent.orders import OrderBook
from frrsync.agent.wake import Wake
from frrsync.core.redact import redact
from frrsync.settings import Settings
from instruments import documents
from instruments.documents import key_of
from topology.agent_program import AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.agent.inputs import Known
    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

PASSWORD = "Quittengelee-8151"  # noqa: S105 - made up
SECRET = {
    "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
    "metadata": {"name": "far", "namespace": documents.CONFIG_NAMESPACE}, "stringData": {"password": PASSWORD},
}  # fmt: skip
FAR = documents.peer("far", "10.99.0.99", my_asn=64512, peer_asn=65009, passwordSecret={"name": "far"})
REFUSED = "neighbor {{ neighbor.peer }} password {{ neighbor.password }} twice"
REWRITTEN = "neighbor {{ neighbor.peer }} password {{ neighbor.password }}2"
BROKEN = "{{ neighbor.password.nothing.at.all }}"
CONTROL = "neighbor {{ neighbor.peer }} description {{ neighbor.password }} | x"


@pytest.fixture
def bench(frr_version: FrrVersion, tmp_path: Path) -> Iterator[AgentBench]:
    """Provide FRR and its peers in a folder whose every file is looked at."""
    with AgentBench(tmp_path, frr_version) as found:
        yield found


def write(folder: Path, line: str) -> None:
    """Write a template that adds a line to neighbors that have a password."""
    text = '{% extends "frrsync/neighbor.j2" %}{% block neighbor_extra %}\n{% if neighbor.password %}\n '
    (folder / "neighbor.j2").write_text(f"{text}{line}\n{{% endif %}}\n{{% endblock %}}\n", "utf-8")


def said(bench: AgentBench, program: Program) -> str:
    """Return everything that an agent answers and that commands print about it."""
    commands = (("status",), ("status", "--output", "json"), ("config", "diff"), ("config", "running"),
                ("config", "desired", "--output", "yaml"), ("vtysh", "--", "show", "running-config"))  # fmt: skip
    done = [bench.node.command(*words) for words in commands]
    return "\n".join([program.answers(), *(one.stdout + one.stderr for one in done)])


@pytest.mark.parametrize("apply_with", ["sockets", "vtysh"])
def test_a_password_is_in_no_file_but_that_of_frr(bench: AgentBench, tmp_path: Path, apply_with: str) -> None:
    """Through success, a refused line, a roll back, a template that breaks, a pause, and the end of FRR."""
    templates = tmp_path / "templates"
    templates.mkdir()
    conf = tmp_path / "frr.conf"
    conf.write_text("old", "ascii")
    conf.chmod(0o666)
    bench.fill(here(1), web(1), SECRET, FAR)
    program = bench.start(
        "--templates", str(templates), "--log-level", "debug", "--apply-with", apply_with, "--frr-conf", str(conf)
    )
    bench.wait_announced(1)
    bench.wait(lambda: PASSWORD in conf.read_text("utf-8"), "the file for FRR's start")
    assert conf.stat().st_mode & 0o777 == 0o640, f"expected mode 640, found {conf.stat().st_mode & 0o777:o}"
    assert PASSWORD in bench.node.frr.vtysh("show running-config"), "expected FRR to have the password"
    texts = [said(bench, program)]
    for line in (REFUSED, REWRITTEN, BROKEN, CONTROL):
        write(templates, line)
        bench.wait(lambda: "blocked" in program.problems() or "mistakes" in program.problems(), f"{line} in the status")
        texts.append(program.answers())
        (templates / "neighbor.j2").unlink()
        bench.wait(lambda: not {"blocked", "mistakes"} & program.problems().keys(), "the end of that")
    bench.node.command("pause", "--for", "10m")
    bench.folder.remove(key_of(SECRET))
    bench.wait(lambda: "paused" in program.problems(), "the pause")
    texts.append(said(bench, program))
    bench.node.frr.kill("bgpd")
    bench.wait(lambda: "frrUnreachable" in program.problems(), "the end of bgpd")
    bench.node.frr.start(("bgpd",), load=False)
    program.end()
    shown = [text for text in texts if PASSWORD in text]
    assert not shown, f"expected the password in no answer, found {shown[0][:2000]}"
    allowed = re.compile(r"/frr\.conf$|/manifests/|/staging/|/frr/")
    found = [
        str(path) for path in tmp_path.rglob("*")
        if path.is_file() and not allowed.search(str(path)) and PASSWORD.encode() in path.read_bytes()
    ]  # fmt: skip
    assert not found, f"expected the password in no other file, found it in {found}"


class FaultyInputs:
    """Inputs with a defect that has a password in its words."""

    def read(self) -> Known:
        """Fail as our own code never should."""
        raise RuntimeError(f"router bgp 1\n neighbor 192.0.2.1 password {PASSWORD}\n exit")


def test_a_defect_of_ours_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its traceback in the log, nor the problem in the status."""
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", printed)
    log.set_up("debug", json_lines=True, clean=redact)
    try:
        wake = Wake()
        settings = Settings(node="n1", vty_dir=tmp_path, run_dir=tmp_path, state_dir=tmp_path)
        loop = Loop(settings, FaultyInputs(), wake, OrderBook(tmp_path / "orders.json", wake), GatewayWatch(wake))  # type: ignore[arg-type]
        loop._safe_round(frozenset({"start"}))
    finally:
        monkeypatch.undo()
        log.set_up("warning")
    text = printed.getvalue()
    assert "round_failed" in text, text
    assert "RuntimeError" in text, text
    for shown in (text, loop.reconciled.problem):
        assert "password <hidden:" in shown, f"expected a hidden password, found {shown}"
        assert PASSWORD not in shown
