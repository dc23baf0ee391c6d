"""Random changes over everything, sessions too: none is lost that need not be, nothing leaks, all is right at rest."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from instruments.churn import Churn
from instruments.churn_sessions import GUARDED_PEER, LABEL_PEER, SessionChurn, SessionStep
from instruments.network import NODE_IPV4
from instruments.node import NAME, PEERS, NodeUnderTest, base
from instruments.running import differences, fresh_tree, running_tree

if TYPE_CHECKING:
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.churn import Step
    from instruments.scenario import Scenario

pytestmark = [pytest.mark.frr, pytest.mark.topology]

CHANGES = 1000
BUDGET_SECONDS = 60
LEAST = 150
"""Fewer changes than this within the budget mean that something hangs."""
AT_ONCE = (1, 2, 8, 16)
SHARE_OF_SESSIONS = 0.25
BACK_SECONDS = 30


@dataclass(slots=True)
class Driver:
    """Makes changes of both kinds, a few at once, and waits for their effect before the next few."""

    node: NodeUnderTest
    scenario: Scenario
    churn: Churn
    sessions: SessionChurn
    templates: Path
    random: random.Random = field(default_factory=lambda: random.Random(3))
    kinds: Counter[str] = field(default_factory=Counter)

    def run(self, count: int, seconds: float) -> None:
        """Make so many changes, or as many as fit into the time."""
        end = time.monotonic() + seconds
        while self.kinds.total() < count and time.monotonic() < end:
            steps = self._steps(self.random.choice(AT_ONCE))
            costs = {peer for step in steps if isinstance(step, SessionStep) for peer in step.costs}
            self.scenario.read()
            before = {peer: entry["session"] for peer, entry in self.node.listener.sessions().items()}
            self.scenario.judge.outage(*costs)
            for step in steps:
                self._make(step)
            self._await_costs(costs, before)
            self._settle(steps)
            for peer, entry in self.node.listener.sessions().items():
                made, most = entry["session"] - before[peer], int(peer in costs)
                assert made <= most, f"expected {most} new sessions of {peer}, found {made}, after {steps}"
            self.scenario.judge.recovered()

    def _steps(self, count: int) -> list[Step]:
        """Draw so many changes, of which no two cost the same peer its session."""
        steps: list[Step] = []
        costs: set[str] = set()
        while len(steps) < count:
            step = self._draw(costs)
            costs |= step.costs if isinstance(step, SessionStep) else set()
            steps.append(step)
        return steps

    def _await_costs(self, costs: set[str], before: dict[str, int]) -> None:
        """Wait until each of these sessions is lost, and made again unless its peer is gone."""

        def is_over(peer: str) -> bool:
            entry = self.node.listener.sessions()[peer]
            if peer == LABEL_PEER and not self.sessions.has_uplink:
                return not entry["up"]
            return bool(entry["up"]) and entry["session"] > before[peer]

        self.scenario.wait(lambda: all(map(is_over, costs)), BACK_SECONDS, lambda: f"expected new sessions of {costs}")

    def _draw(self, spent: set[str]) -> Step:
        return self.sessions.draw(spent) if self.random.random() < SHARE_OF_SESSIONS else self.churn.draw()

    def _make(self, step: Step) -> None:
        self.kinds[step.kind] += 1
        if isinstance(step, SessionStep):
            if step.password is not None:
                self.ask_for(step.password)
            if step.template is not None:
                new = self.templates / ".new"
                new.write_text(step.template, encoding="utf-8")
                new.replace(self.templates / "frr.conf.j2")
        self.scenario.apply(*step.put, remove=step.remove)

    def ask_for(self, password: str) -> None:
        """Have the peer at the other end ask for a password in its next sessions."""
        self.node.listener.request("password", peer=GUARDED_PEER, remote=NODE_IPV4, password=password)

    def _settle(self, steps: list[Step]) -> None:
        said = [f"{step.kind}: {step.put or step.remove}" for step in steps]
        try:
            self.scenario.settle(BACK_SECONDS)
        except AssertionError as error:
            summary = self.node.frr.vtysh("show bgp summary")
            raise AssertionError(
                f"after {self.kinds.total()} changes, the last being {said}:\n{error}\n{summary}"
            ) from error
        findings = self.scenario.verdict.findings
        assert not findings, f"after {self.kinds.total()} changes, the last being {said}:\n{self.scenario.verdict}"


def change_everything(version: FrrVersion, path: Path, seed: int, changes: int, seconds: float) -> None:
    """Run so many changes on a node of its own and look at everything at the end."""
    templates, conf = path / "templates", path / "frr.conf"
    templates.mkdir()
    sessions = SessionChurn(seed, base()[0], base()[1:])
    with NodeUnderTest(path / "n", version, "sockets", "--templates", str(templates), "--frr-conf", str(conf)) as node:
        node.folder.put(*sessions.start())
        scenario = node.scenario()
        driver = Driver(node, scenario, Churn(seed, NAME, PEERS), sessions, templates)
        driver.ask_for(sessions.password)
        pids = node.frr.pids()
        node.start_agent()
        scenario.apply(*driver.churn.start())
        scenario.settle(BACK_SECONDS)
        driver.run(changes, seconds)
        print(f"{driver.kinds.total()} changes ({dict(driver.kinds)}), {scenario.verdict}")
        assert driver.kinds.total() >= min(changes, LEAST), f"only {driver.kinds.total()} changes in time"
        scenario.assert_clean()
        node.assert_agent_runs()
        assert node.frr.pids() == pids, f"expected the daemons {pids}, found {node.frr.pids()}"
        scenario.wait(lambda: node.command("config", "diff").returncode == 0, 10, lambda: "config diff is not empty")
        found = differences(running_tree(node.frr), fresh_tree(conf.read_text(encoding="utf-8"), version, path))
        assert not found, f"expected the configuration of a fresh full load, found {found}"


def test_random_changes_of_everything_cost_no_session_that_need_not_be_lost(
    frr_version: FrrVersion, tmp_path: Path
) -> None:
    """A thousand changes, or as many as a minute takes, of routes, peers, profiles, Secrets, labels and templates."""
    change_everything(frr_version, tmp_path, 7, CHANGES, BUDGET_SECONDS)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_thousand_random_changes_of_everything(frr_version: FrrVersion, tmp_path: Path) -> None:
    """The same with ten thousand changes, from a seed that is new every time."""
    seed = int(time.time())
    print(f"seed {seed}")
    change_everything(frr_version, tmp_path, seed, 10_000, 6600)
