"""What the users of a Service notice of a drain, behind routers that know GRACEFUL_SHUTDOWN and one that does not."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frrsync.api.client import AgentClient
from frrsync.lab import process
from frrsync.lab.demo.routes import RouteWatch
from frrsync.lab.lab import Lab
from frrsync.lab.topology_file import parse_topology
from instruments import documents
from instruments.connections import Server, User, broken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from frrsync.lab.rootfs import FrrVersion
    from instruments.connections import Connection

pytestmark = [pytest.mark.frr, pytest.mark.topology]

ADDRESS = "198.51.100.1"
PREFIX = f"{ADDRESS}/32"
PORT = 7000
NODES = ("node-1", "node-2", "node-3")
DRAIN_SECONDS = 2.0
LONG_LIVED = 90
ROUTERS = ("plain", "policy", "deaf", "steady")
NEXT_HOPS = {"buckets": 128, "idle_timer": 60}

PAGE = Path(__file__).parents[2] / "docs/drain.md"
# What the page advises for routers that do not do it by themselves; the community is taken away, so that it is
# this policy alone that is seen to work.
POLICY = PAGE.read_text("utf-8").partition("```\nbgp community-list")[2].partition("```")[0]
POLICY = f"bgp community-list{POLICY}".replace("preference 0\n", "preference 0\n set comm-list leaving delete\n")
# A router that knows nothing of the community: FRR does, so it is kept from seeing it.
DEAF = """\
bgp community-list standard leaving permit graceful-shutdown
route-map from-node permit 10
 set comm-list leaving delete
exit
"""


def topology(name: str, version: str) -> dict[str, Any]:
    """Return four routers that are connected to three nodes, each with a client of its own."""
    links: list[dict[str, Any]] = []
    configs = {"plain": "", "policy": POLICY, "deaf": DEAF, "steady": DEAF}
    for number, router in enumerate(ROUTERS):
        neighbors = []
        for place, node in enumerate(NODES):
            links.append({"between": [router, node], "ipv4": f"10.77.{number}.{2 * place}/31", "ipv6": None})
            neighbors.append(f"  neighbor 10.77.{number}.{2 * place + 1} route-map from-node in")
        links.append({"between": [router, f"c-{router}"], "ipv4": f"10.77.{number}.100/31", "ipv6": None})
        if configs[router]:
            asn, family = (
                64701 + number,
                "\n".join([" address-family ipv4 unicast", *neighbors, " exit-address-family"]),
            )
            configs[router] += f"router bgp {asn}\n{family}\nexit\n"
    settings = {"drain-time": f"{DRAIN_SECONDS:g}"}
    return {
        "name": name,
        "frr": version,
        "pools": {"ipv4": "10.250.0.0/16", "ipv6": None},
        "service-prefixes": ["198.51.100.0/24"],
        "routers": {name: {"asn": 64701 + number, "config": configs[name]} for number, name in enumerate(ROUTERS)},
        "nodes": {node: {"asn": 64700, "settings": settings} for node in NODES},
        "clients": {f"c-{router}": {} for router in ROUTERS},
        "links": links,
    }


def service() -> str:
    """Return the manifests of the Service."""
    endpoints = [documents.endpoint(node, f"10.244.0.{number + 1}") for number, node in enumerate(NODES)]
    found = [
        documents.pool("public", "198.51.100.0/24"),
        documents.advertisement("public"),
        documents.service("web", annotations={"metallb.io/loadBalancerIPs": ADDRESS}, ports=(PORT,)),
        documents.endpoint_slice("web", endpoints),
    ]
    return "---\n".join(json.dumps(document) + "\n" for document in found)


def ip(lab: Lab, device: str, *arguments: str) -> None:
    """Run a command of iproute2 on a device."""
    done = lab.exec(device, ["ip", *arguments])
    assert done.returncode == 0, f"ip {' '.join(arguments)} on {device}: {done.stderr}"


class World:
    """The lab with servers, and what was seen of it."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        self.lab = lab
        for node in NODES:
            ip(lab, node, "addr", "add", PREFIX, "dev", "lo")
            for number, router in enumerate(ROUTERS):
                client = lab.clients[f"c-{router}"].device.loopback4
                ip(lab, node, "route", "add", f"{client}/32", "via", f"10.77.{number}.{2 * NODES.index(node)}")
        self.servers = {node: stack.enter_context(Server(lab.nodes[node], PORT)) for node in NODES}
        self.watches = {name: stack.enter_context(RouteWatch(router)) for name, router in lab.routers.items()}
        (lab.folders.manifests / "web.yaml").write_text(service(), "utf-8")
        self.wait_next_hops(frozenset(NODES), ROUTERS)
        for place, node in enumerate(NODES):
            identity = str(100 + place)
            via = f"10.77.{ROUTERS.index('steady')}.{2 * place + 1}"
            ip(lab, "steady", "nexthop", "add", "id", identity, "via", via, "dev", node)
        # The kernel divides its hashes in the order of the next hops, and FRR 8.4 orders them as they came. Without
        # the one in the middle nobody else would move, so the first is drained.
        self.drained = lab.exec("deaf", ["ip", "route", "show", PREFIX]).stdout.partition(" dev ")[2].split()[0]
        self.stay = tuple(node for node in NODES if node != self.drained)
        self.group_of((self.drained, *self.stay), "add")
        # In place of zebra's route: FRR makes no resilient groups for BGP.
        ip(lab, "steady", "route", "add", PREFIX, "nhid", "10", "metric", "1")

    def group_of(self, nodes: tuple[str, ...], verb: str) -> None:
        """Make the resilient group of the router ``steady``, or change its members."""
        members = "/".join(str(100 + NODES.index(node)) for node in nodes)
        options = [text for name, value in NEXT_HOPS.items() for text in (name, str(value))]
        ip(self.lab, "steady", "nexthop", verb, "id", "10", "group", members, "type", "resilient", *options)

    def next_hops(self, router: str) -> frozenset[str]:
        """Return where zebra of a router sends the prefix."""
        found = [change for change in self.watches[router].changes() if change.prefix == PREFIX]
        return found[-1].next_hops if found else frozenset()

    def wait_next_hops(self, wanted: frozenset[str], routers: tuple[str, ...]) -> None:
        """Wait until these routers send to exactly these nodes."""
        process.wait_until(
            lambda: all(self.next_hops(router) == wanted for router in routers),
            what=f"next hops {sorted(wanted)} on {', '.join(routers)}",
            seconds=60,
        )

    def moved_at(self, router: str, since: float) -> list[float]:
        """Return when the next hops of a router changed."""
        return [
            change.time for change in self.watches[router].changes() if change.prefix == PREFIX and change.time > since
        ]


@pytest.fixture(scope="module")
def world(frr_version: FrrVersion) -> Iterator[World]:
    """Provide the lab with all three nodes announcing."""
    name = f"w{os.getpid() % 0x1000000:x}"
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(parse_topology(topology(name, frr_version))))
        yield World(lab, stack)


def epoch(text: str) -> float:
    """Return an RFC 3339 time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def in_flight(connection: Connection, moments: list[float]) -> bool:
    """Say whether a next hop changed while the connection was open, with what clocks and scheduling add."""
    return any(connection.started - 0.05 <= moment <= connection.ended + 0.05 for moment in moments)


def test_a_drain_refuses_no_connection(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Short connections all the time, then the node is switched off: only what was in flight may break.

    A router that honours GRACEFUL_SHUTDOWN has moved everything before anything is withdrawn, the other one at
    the withdrawal; with a resilient group, connections to the nodes that stay survive, where plain ECMP moves some.
    """
    stay = frozenset(world.stay)
    agent = AgentClient(world.lab.nodes[world.drained].agent_socket)
    with ExitStack() as stack:
        users = {
            router: stack.enter_context(User(world.lab.clients[f"c-{router}"], ADDRESS, PORT, long=LONG_LIVED))
            for router in ROUTERS
        }
        for user in users.values():
            user.wait(50)
        began = time.time()
        agent.order("drain")
        process.wait_until(lambda: world.next_hops("deaf") == stay, what="the withdrawal at deaf", seconds=15)
        world.group_of(world.stay, "replace")
        replaced = time.time()
        process.wait_until(lambda: bool(agent.status()["drain"]["told"]), what="the end of the drain")
        drain = agent.status()["drain"]
        world.wait_next_hops(stay, ("plain", "policy", "deaf"))
        world.lab.nodes[world.drained].kill()  # what a drain is for: the machine may go now
        for user in users.values():
            user.wait(50)
        found = {router: user.stop() for router, user in users.items()}
    moved = {router: world.moved_at(router, began) for router in ROUTERS}
    moved["steady"] = [replaced]
    withdrawn = epoch(drain["withdrawn_at"])
    assert_moved(moved, epoch(drain["lowered_at"]), withdrawn)
    counts = {router: assert_none_refused(router, found[router], moved[router], stay) for router in ROUTERS}
    with capsys.disabled():
        print_counts(counts, moved, withdrawn)  # the figures are asked for: an operator wants to know
    assert counts["deaf"]["stay"] > 0, f"expected plain ECMP to move connections of other nodes, found {counts}"
    assert counts["steady"]["stay"] == 0, f"expected a resilient group to move none of them, found {counts}"


def assert_moved(moved: Mapping[str, list[float]], lowered: float, withdrawn: float) -> None:
    """Judge when each router stopped to send to the node."""
    for router in ("plain", "policy"):
        times = moved[router]
        assert len(times) == 1, f"{router}: expected one change of the next hops, found {times}"
        assert lowered - 0.2 < times[0] < withdrawn - 0.5, (
            f"{router}: expected it to be long before the withdrawal at {withdrawn}, found {times}"
        )
    times = moved["deaf"]
    assert len(times) == 1, f"deaf: expected one change of the next hops, found {times}"
    assert withdrawn - 0.2 < times[0], f"deaf: expected it not to be before the withdrawal {withdrawn}, found {times}"


def assert_none_refused(
    router: str, found: list[Connection], moments: list[float], stay: frozenset[str]
) -> dict[str, int]:
    """Fail if a short connection broke for another reason than that the next hops changed; return what broke."""
    short, long = broken(found, is_long=False), broken(found, is_long=True)
    wrong = [item for item in short if not in_flight(item, moments) or "Reset" not in item.error]
    assert not wrong, f"{router}: expected no connection to be refused or lost, found {wrong}; changes {moments}"
    total = sum(not item.is_long for item in found)
    assert total > 150, f"{router}: expected a connection every 20 ms, found {total}"
    used = {item.server for item in found if item.started < moments[0] - 0.1}
    assert used == set(NODES), f"{router}: expected all nodes to be used before, found {used}"
    late = {item.server for item in found if item.started > moments[0] + 0.5}
    assert late == stay, f"{router}: expected {sorted(stay)} to be used afterwards, found {late}"
    others = sum(item.server in stay for item in long)
    return {"short": total, "in flight": len(short), "drained": len(long) - others, "stay": others}


def print_counts(counts: Mapping[str, Mapping[str, int]], moved: Mapping[str, list[float]], withdrawn: float) -> None:
    """Say what a drain cost."""
    for router, count in counts.items():
        before = withdrawn - moved[router][0]
        print(
            f"\n  {router}: next hops changed {before:+.2f} s before the withdrawal; {count['short']} short "
            f"connections, {count['in flight']} in flight broke; of {LONG_LIVED} long-lived ones broke "
            f"{count['drained']} to the drained node and {count['stay']} to others",
            end="",
        )


def test_the_users_would_have_noticed(world: World) -> None:
    """The same users see it when a node that is announced refuses."""
    with User(world.lab.clients["c-plain"], ADDRESS, PORT) as user:
        user.wait(10)
        world.servers[world.stay[0]].stop()
        user.wait(20)
        found = user.stop()
    refused = [item for item in broken(found, is_long=False) if "Refused" in item.error]
    assert refused, f"expected refused connections, found {len(found)} without any"
