"""The lab itself: it builds a network that works, and goes without a trace, whatever happened to its builder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frrsync.errors import LabError
from frrsync.lab import process
from frrsync.lab.lab import Lab
from frrsync.lab.topology_file import parse_topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frrsync.lab.device import Node
    from frrsync.lab.rootfs import FrrVersion

    Document = Callable[..., dict[str, Any]]
    Remember = Callable[[Lab], None]

pytestmark = [pytest.mark.topology, pytest.mark.frr]

SERVICES = ("198.51.100.7", "2001:db8:5e::7")


@pytest.fixture
def document(frr_version: FrrVersion) -> Document:
    """Return a maker of topology documents: two routers, two nodes without agents, a client."""

    def make(letter: str, **more: object) -> dict[str, Any]:
        links = [[router, other] for router in ("r1", "r2") for other in ("n1", "n2", "client")]
        return {
            "name": f"t{os.getpid() % 0x100000:x}{letter}",
            "frr": frr_version,
            "agents": False,
            "routers": {"r1": {"asn": 64701}, "r2": {"asn": 64702}},
            "nodes": {"n1": {"asn": 64700}, "n2": {"asn": 64700}},
            "clients": {"client": None},
            "links": links,
            **more,
        }

    return make


@pytest.fixture
def traces() -> Iterator[Remember]:
    """Return what remembers a running lab; at the end nothing of it may be left, and the host be as before."""
    before = _host_network()
    remembered: list[tuple[Lab, set[tuple[int, int] | None], list[int]]] = []

    def remember(lab: Lab) -> None:
        names = lab.topology.namespaces
        remembered.append((lab, {process.namespace_identity(name) for name in names}, process.members(names)))

    yield remember
    for lab, identities, pids in remembered:
        left = _traces(lab, identities, pids)
        assert not left, f"expected no trace of lab {lab.name}, found {left}"
    assert _host_network() == before, "expected the host's own network as before"


def _traces(lab: Lab, identities: set[tuple[int, int] | None], pids: list[int]) -> dict[str, object]:
    """Return what is left of a lab, by kind; other labs may come and go meanwhile."""
    mounts = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    found: dict[str, object] = {
        "namespaces": [name for name in lab.topology.namespaces if (process.NAMESPACES / name).exists()],
        "mounts": [line for line in mounts if lab.name in line],
        "processes that lived": [pid for pid in pids if process.is_alive(pid)],
        "processes in its namespaces": _processes_in(identities),
        "processes with its folder": _processes_with(str(lab.folder)),
        "folder": [str(path) for path in lab.folder.parent.glob(f"*{lab.name}*")],
    }
    return {kind: items for kind, items in found.items() if items}


def _processes_in(identities: set[tuple[int, int] | None]) -> list[str]:
    found = []
    for entry in process.PROC.glob("[0-9]*"):
        try:
            namespace = (entry / "ns/net").stat()
        except OSError:
            continue
        if (namespace.st_dev, namespace.st_ino) in identities and process.is_alive(int(entry.name)):
            found.append(entry.name)
    return found


def _processes_with(text: str) -> list[str]:
    found = []
    for entry in process.PROC.glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in command and int(entry.name) != os.getpid():
            found.append(command)
    return found


def _host_network() -> dict[str, str]:
    """Return interfaces, addresses, routes and forwarding of the host's own namespace."""
    commands = ("ip route show table all", "ip -6 route show table all", "ip -o link")
    found = {command: subprocess.check_output(command.split(), text=True) for command in commands}  # noqa: S603 - fixed
    addresses = subprocess.check_output(("ip", "-json", "address"), text=True)  # noqa: S607 - iproute2 of the path
    found["addresses"] = re.sub(r'"(valid|preferred)_life_time":\d+', "", addresses)  # they count down
    found["forwarding"] = Path("/proc/sys/net/ipv4/ip_forward").read_text("ascii")
    return found


def announce(node: Node) -> None:
    """Configure a node's FRR by hand, as a person would: sessions to its routers and the two services."""
    neighbors = [item.other for item in node.topology.neighborhoods(node.name, "router")]
    asn = {router.name: router.asn for router in node.topology.of_kind("router")}
    lines = [f"router bgp {node.device.asn}", "no bgp ebgp-requires-policy", "no bgp network import-check"]
    for end in neighbors:
        for address in end.addresses:
            lines += [f"neighbor {address.ip} remote-as {asn[end.device]}", f"neighbor {address.ip} bfd"]
            lines += [f"neighbor {address.ip} timers connect 1"]
    lines += ["address-family ipv4 unicast", f"network {SERVICES[0]}/32", "exit-address-family"]
    lines += ["address-family ipv6 unicast", f"network {SERVICES[1]}/128"]
    lines += [f"neighbor {end.ipv6.ip} activate" for end in neighbors if end.ipv6]
    node.frr.vtysh("configure terminal", *lines)


def next_hops(lab: Lab, router: str, prefix: str) -> set[str]:
    """Return the interfaces over which a router's kernel sends to a prefix."""
    family = "-6" if ":" in prefix else "-4"
    routes = lab.exec(router, ["ip", family, "route", "show", prefix])
    words = routes.stdout.split()
    return {words[index + 1] for index, word in enumerate(words) if word == "dev"}


def wait_next_hops(lab: Lab, router: str, expected: set[str], *, seconds: float = 20) -> None:
    """Wait until a router's kernel has exactly these next hops for both services."""
    for prefix in SERVICES:
        what = f"next hops {sorted(expected)} of {prefix} at {router}"

        def holds(prefix: str = prefix) -> bool:
            return next_hops(lab, router, prefix) == expected

        process.wait_until(holds, what=what, seconds=seconds, pause=0.05)


def test_a_client_reaches_both_nodes_through_routers_and_bfd_takes_a_killed_node_out(
    document: Document, traces: Remember
) -> None:
    """Sessions of both families, equal-cost routes in the kernel, answers of all nodes, and of one when one dies."""
    with Lab(parse_topology(document("a"))) as lab:
        traces(lab)
        for node in lab.nodes.values():
            announce(node)
        lab.wait_established()
        for router in lab.routers:
            wait_next_hops(lab, router, {"n1", "n2"})
        for url in (f"http://{SERVICES[0]}/", f"http://[{SERVICES[1]}]/"):
            answers = lab.clients["client"].fetch(url, 60)
            names = Counter(answer.text for answer in answers)
            assert set(names) == {"n1", "n2"}, f"expected answers of n1 and n2 only, found {names}"
        assert lab.status()["ok"], f"expected everything to run, found {lab.status()}"

        lab.nodes["n1"].kill()
        for router in lab.routers:
            wait_next_hops(lab, router, {"n2"}, seconds=5)
        answers = lab.clients["client"].fetch(f"http://{SERVICES[0]}/", 20)
        assert {answer.text for answer in answers} == {"n2"}, f"expected answers of n2, found {answers}"
        status = lab.status()
        assert [item["name"] for item in status["devices"] if not item["ok"]] == ["n1"], status

        lab.nodes["n1"].revive()
        announce(lab.nodes["n1"])
        for router in lab.routers:
            wait_next_hops(lab, router, {"n1", "n2"})


def test_two_labs_of_one_topology_live_side_by_side(document: Document, traces: Remember) -> None:
    """The same names and addresses in both; taking one down leaves the other alone."""
    with Lab(parse_topology(document("b"))) as second:
        traces(second)
        with Lab(parse_topology(document("a"))) as first:
            traces(first)
            for lab in (first, second):
                announce(lab.nodes["n1"])
            for lab in (first, second):
                wait_next_hops(lab, "r1", {"n1"})
            pids = second.routers["r1"].frr.pids()
        wait_next_hops(second, "r1", {"n1"})
        assert second.routers["r1"].frr.pids() == pids, "expected the daemons of the other lab untouched"
        assert second.status()["ok"], second.status()


def test_a_lab_can_be_taken_down_after_its_builder_was_killed(
    document: Document, traces: Remember, tmp_path: Path
) -> None:
    """Killed at different moments of the building, there is always a lab to open and nothing stays."""
    builder = tmp_path / "build.py"
    builder.write_text(
        "import json, sys\n"
        "from frrsync.lab.lab import Lab\n"
        "from frrsync.lab.topology_file import parse_topology\n"
        "Lab(parse_topology(json.loads(sys.argv[1]))).up()\n"
        "print('built', flush=True)\n"
        "sys.stdin.read()\n",
        "utf-8",
    )
    for when in ("claimed", "namespaces", "first FRR", "built"):
        given = document("k")
        folder = Path("/run/frrsync-lab") / given["name"]
        _kill_builder(builder, given, when, folder)
        lab = Lab.open(given["name"])
        traces(lab)
        lab.down()
        assert not folder.exists(), f"killed when {when}: expected no {folder}"


def _kill_builder(builder: Path, given: dict[str, Any], when: str, folder: Path) -> None:
    reached: dict[str, Callable[[], bool]] = {
        "claimed": (folder / "lab.json").exists,
        "namespaces": (process.NAMESPACES / f"{given['name']}-n1").exists,
        "first FRR": lambda: any(folder.glob("devices/*/run/*.pid")),
        "built": lambda: bool(running.stdout and running.stdout.readline() == "built\n"),
    }
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(builder), json.dumps(given)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            process.wait_until(reached[when], what=f"builder at {when!r}", pause=0.001)
        finally:
            running.kill()


def test_a_lab_that_fails_half_way_leaves_nothing(document: Document, traces: Remember) -> None:
    """A configuration that FRR refuses stops the building, with the reason, and what stood is removed."""
    given = document("f", nodes={"n1": {"asn": 64700, "config": "router bgp nonsense"}}, links=[])
    lab = Lab(parse_topology(given))
    with pytest.raises(LabError, match="vtysh"):
        lab.up()
    traces(lab)


def test_a_lab_does_not_take_over_what_exists(document: Document, traces: Remember) -> None:
    """A second lab of the same name is refused and the first goes on."""
    with Lab(parse_topology(document("a"))) as lab:
        traces(lab)
        with pytest.raises(LabError, match="exist already"):
            Lab(parse_topology(document("a"))).up()
        assert lab.status()["ok"], lab.status()


def test_a_recorded_process_number_that_was_used_again_is_not_ended(tmp_path: Path) -> None:
    """The start time is part of the record: with another one it names nobody."""
    record = tmp_path / "sleep.process"
    process.start_recorded(["sleep", "60"], record=record, output=tmp_path / "output")
    pid = process.recorded(record)
    assert pid is not None
    try:
        text = record.read_text("utf-8")
        start = text.rpartition(")")[2].split()[19]
        record.write_text(text.replace(f" {start} ", f" {int(start) - 1} "), "utf-8")
        assert process.recorded(record) is None, "expected a record of an older process to name nobody"
    finally:
        process.end(pid)
