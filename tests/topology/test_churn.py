"""A thousand random changes against four peers: not one UPDATE that should not have been sent."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from instruments.churn import Churn
from instruments.node import NAME, PEERS
from instruments.running import differences, fresh_tree, running_tree

if TYPE_CHECKING:
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.node import NodeUnderTest
    from instruments.running import Tree
    from instruments.scenario import Scenario

pytestmark = [pytest.mark.frr, pytest.mark.topology]

CHANGES = {"sockets": 1000, "vtysh": 100}
BUDGET_SECONDS = {"sockets": 60, "vtysh": 30}
LEAST = {"sockets": 200, "vtysh": 20}
"""Fewer changes than this within the budget mean that something hangs."""
AT_ONCE = (1, 4, 16, 32)
"""So many changes at once; single ones are plans of one line, many make FRR do everything in one go."""


@dataclass(slots=True)
class Driver:
    """Makes changes, a few at once, and waits for their effect before the next few."""

    scenario: Scenario
    churn: Churn
    sizes: random.Random = field(default_factory=lambda: random.Random(1))
    done: int = 0
    recent: list[str] = field(default_factory=list)

    def run(self, count: int, seconds: float) -> None:
        """Make so many changes, or as many as fit into the time."""
        end = time.monotonic() + seconds
        while self.done < count and time.monotonic() < end:
            self.recent = []
            for _ in range(self.sizes.choice(AT_ONCE)):
                step = self.churn.draw()
                self.recent.append(f"{step.kind}: {step.put or step.remove}")
                self.scenario.apply(*step.put, remove=step.remove)
                self.done += 1
            self.settle()

    def settle(self) -> None:
        """Wait for the effect; a failure says what was changed last."""
        try:
            self.scenario.settle(15)
        except AssertionError as error:
            raise AssertionError(f"after {self.done} changes, the last being {self.recent}:\n{error}") from error
        assert not self.scenario.verdict.findings, (
            f"after {self.done} changes, the last being {self.recent}:\n{self.scenario.verdict}"
        )


def test_random_changes_send_nothing_wrong(
    scenario: Scenario, node: NodeUnderTest, frr_version: FrrVersion, tmp_path: Path
) -> None:
    """Sessions stay up, tables are right at the end, and FRR runs what a fresh start would run."""
    driver = Driver(scenario, Churn(20, NAME, PEERS))
    scenario.apply(*driver.churn.start())
    driver.settle()
    driver.run(CHANGES[node.apply_with], BUDGET_SECONDS[node.apply_with])
    print(f"{driver.done} changes, {scenario.verdict}")
    assert driver.done >= LEAST[node.apply_with], f"only {driver.done} changes in time"
    assert_in_sync(node, scenario)
    found = differences(running_tree(node.frr), fresh(node, frr_version, tmp_path))
    assert not found, f"expected the configuration of a fresh full load, found {found}"


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_random_changes_send_nothing_wrong(
    scenario: Scenario, node: NodeUnderTest, frr_version: FrrVersion, tmp_path: Path
) -> None:
    """The same with ten thousand changes, from a seed that is new every time."""
    seed = int(time.time())
    print(f"seed {seed}")
    driver = Driver(scenario, Churn(seed, NAME, PEERS))
    scenario.apply(*driver.churn.start())
    driver.settle()
    driver.run(10_000, 3300)
    assert_in_sync(node, scenario)
    found = differences(running_tree(node.frr), fresh(node, frr_version, tmp_path))
    assert not found, f"expected the configuration of a fresh full load, found {found}"


def assert_in_sync(node: NodeUnderTest, scenario: Scenario) -> None:
    """Wait until the agent says that FRR runs what is wanted."""
    scenario.wait(
        lambda: node.command("config", "diff").returncode == 0, 10, lambda: node.command("config", "diff").stdout
    )


def fresh(node: NodeUnderTest, version: FrrVersion, path: Path) -> Tree:
    """Return what an FRR of its own runs after it has loaded the desired configuration from a file."""
    desired = node.command("config", "desired")
    assert desired.returncode == 0, f"expected the desired configuration, found {desired.stderr}"
    return fresh_tree(desired.stdout, version, path)
