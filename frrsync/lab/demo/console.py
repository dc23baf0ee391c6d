"""What the demo does to the lab and asks of it: commands that are shown as they are run, and waiting for routers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from frrsync.api.client import AgentClient
from frrsync.errors import AgentUnavailable, LabError
from frrsync.frr.vty import VtySocket
from frrsync.lab import process
from frrsync.lab.demo.routes import RouteWatch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import ExitStack

    from frrsync.lab.demo.stage import Stage
    from frrsync.lab.device import Router
    from frrsync.lab.lab import Lab


class Console:
    """An operator's hands and eyes.

    Attributes:
        built_in: seconds that building the lab took.
        program: the command frrsync, as it can be typed here.

    """

    def __init__(self, lab: Lab, stage: Stage, built_in: float, stack: ExitStack) -> None:
        self.lab = lab
        self.stage = stage
        self.built_in = built_in
        self.client = lab.clients["client"]
        self.watches = {name: stack.enter_context(RouteWatch(router)) for name, router in lab.routers.items()}
        program = Path(sys.executable).parent / "frrsync"
        here = Path.cwd()
        self.program = str(program.relative_to(here) if program.is_relative_to(here) else program)

    def frrsync(self, command: str) -> None:
        """Run a command of frrsync and show it."""
        self.shell(f"{self.program} {command}")

    def shell(self, line: str) -> None:
        """Run a line in a shell and show it; its pipe has to end well."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        self.stage.command("$", line, done.stdout + done.stderr)
        if done.returncode != 0:
            raise LabError(f"{line!r} ended with {done.returncode}")

    def router(self, name: str, command: str) -> str:
        """Ask a router, show and return its answer."""
        answer = self.lab.routers[name].frr.vtysh(command)
        self.stage.command(f"{name}#", command, answer)
        return answer

    def wait_ready(self) -> None:
        """Return when all BGP and BFD sessions are up and no agent sees a problem."""
        self.lab.wait_established(seconds=60)
        for router in self.lab.routers.values():
            process.wait_until(partial(_has_bfd, router), what=f"BFD sessions of {router.name}", seconds=30, pause=0.1)
        for node in self.lab.nodes.values():
            is_well = partial(_is_well, AgentClient(node.agent_socket))
            process.wait_until(is_well, what=f"frrsync status of {node.name} without a problem", seconds=30, pause=0.1)

    def nftables(self, node: str, rules: str) -> None:
        """Load nftables rules on a node."""
        done = self.lab.exec(node, ["nft", rules])
        if done.returncode != 0:
            raise LabError(f"nftables of {node}: {done.stderr.strip()}")

    def wait_routes(
        self, prefixes: Sequence[str], nodes: Collection[str], *, since: float, seconds: float = 15.0
    ) -> Mapping[tuple[str, str], float]:
        """Wait until the kernels of all routers send to these nodes; return when, by router and prefix."""
        return {
            (name, prefix): watch.wait(prefix, nodes, since=since, seconds=seconds)
            for name, watch in self.watches.items()
            for prefix in prefixes
        }

    def wait_community(self, prefixes: Sequence[str], community: str) -> float:
        """Wait until all paths in the BGP tables of all routers carry a community; return when."""
        count = len(self.lab.nodes)
        for router in self.lab.routers.values():
            with VtySocket(router.frr.run_dir / "bgpd.vty", 5.0) as bgpd:
                for prefix in prefixes:
                    reached = partial(_carry, bgpd, prefix, community, count)
                    process.wait_until(reached, what=f"{community} on {prefix} at {router.name}", pause=0.005)
        return time.time()

    def dropped(self) -> Mapping[tuple[str, str], int]:
        """Return how often each session of the routers was lost."""
        return {
            (name, address): int(peer["connectionsDropped"])
            for name, router in self.lab.routers.items()
            for address, peer in router.frr.json("show bgp neighbors json").items()
            if isinstance(peer, dict) and "connectionsDropped" in peer
        }


def _has_bfd(router: Router) -> bool:
    return all(session["status"] == "up" for session in router.frr.json("show bfd peers json"))


def _is_well(agent: AgentClient) -> bool:
    try:
        return not agent.status()["problems"]
    except AgentUnavailable:
        return False  # it has only just been started


def _carry(bgpd: VtySocket, prefix: str, community: str, count: int) -> bool:
    """Tell whether so many paths to a prefix carry a community."""
    family = f"ipv{ip_network(prefix).version}"
    paths = json.loads(bgpd.show(f"show bgp {family} unicast {prefix} json")).get("paths", [])
    tagged = [path for path in paths if community in path.get("community", {}).get("list", [])]
    return len(tagged) == len(paths) == count
