"""The default gateway as zebra of either version names it, while routes of the kernel come and go."""

from __future__ import annotations

import json
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from frrsync.agent.gateway import GatewayWatch
from frrsync.errors import VtyError
from frrsync.frr.default_route import COMMANDS, gateways_of, read_gateways
from frrsync.frr.plan import Daemon
from instruments.network import ip
from topology.bare_frr import BareFrr, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.frr.session import Frr
    from frrsync.lab.rootfs import FrrVersion

pytestmark = [pytest.mark.frr, pytest.mark.topology]


@pytest.fixture(scope="module")
def bare(frr_version: FrrVersion) -> Iterator[BareFrr]:
    """Provide an FRR with an interface that has addresses of both families, and a far end."""
    with BareFrr(frr_version) as frr:
        ip("-n", frr.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", "far")
        for name in ("eth0", "far"):
            ip("-n", frr.namespace, "link", "set", name, "up")
        ip("-n", frr.namespace, "address", "add", "10.0.0.11/24", "dev", "eth0")
        ip("-n", frr.namespace, "address", "add", "fd00::11/64", "dev", "eth0", "nodad")
        yield frr


@pytest.fixture
def zebra(bare: BareFrr) -> Iterator[Frr]:
    """Provide its vty; default routes go with the test."""
    yield bare.open()
    for family in ("-4", "-6"):
        ip("-n", bare.namespace, family, "route", "flush", "exact", "default")


def route(bare: BareFrr, *words: str) -> None:
    """Add a route to the kernel's table."""
    ip("-n", bare.namespace, *words)


def expect(zebra: Frr, four: set[str], six: set[str]) -> None:
    """Wait until zebra names these gateways, and no others."""
    expected = {4: four, 6: six}
    found: dict[int, set[str]] = {}

    def is_so() -> bool:
        found.update(
            {version: set(hops) for version, hops in gateways_of(lambda line: zebra.show(line, Daemon.ZEBRA)).items()}
        )
        return found == expected

    wait_until(is_so, f"default gateways {expected}, found {found}")


def test_there_is_none_without_a_default_route(zebra: Frr) -> None:
    """An empty answer is an answer."""
    expect(zebra, set(), set())


def test_the_route_that_the_kernel_uses_names_it(bare: BareFrr, zebra: Frr) -> None:
    """Of several default routes the one with the lowest metric; another one takes its place when it goes."""
    route(bare, "-4", "route", "add", "default", "via", "10.0.0.2", "metric", "100")
    route(bare, "-6", "route", "add", "default", "via", "fd00::2", "metric", "100")
    expect(zebra, {"10.0.0.2"}, {"fd00::2"})
    route(bare, "-4", "route", "add", "default", "via", "10.0.0.1", "metric", "50")
    route(bare, "-6", "route", "add", "default", "via", "fd00::1", "metric", "50")
    expect(zebra, {"10.0.0.1"}, {"fd00::1"})
    route(bare, "-4", "route", "delete", "default", "metric", "50")
    expect(zebra, {"10.0.0.2"}, {"fd00::1"})


def test_several_next_hops_are_all_named(bare: BareFrr, zebra: Frr) -> None:
    """Which of them is meant, nobody can tell."""
    for family, hops in (("-4", ("10.0.0.1", "10.0.0.2")), ("-6", ("fd00::1", "fd00::2"))):
        route(bare, family, "route", "add", "default", *(word for hop in hops for word in ("nexthop", "via", hop)))
    expect(zebra, {"10.0.0.1", "10.0.0.2"}, {"fd00::1", "fd00::2"})


def test_a_link_local_one_comes_with_its_interface(bare: BareFrr, zebra: Frr) -> None:
    """As router advertisements make it."""
    route(bare, "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    expect(zebra, set(), {"fe80::1%eth0"})


def test_a_route_to_an_interface_and_one_over_a_pulled_cable_name_none(bare: BareFrr, zebra: Frr) -> None:
    """There is nobody to speak to; 10.3 still lists the route."""
    route(bare, "-4", "route", "add", "default", "dev", "eth0")
    expect(zebra, set(), set())
    route(bare, "-6", "route", "add", "default", "via", "fd00::1")
    expect(zebra, set(), {"fd00::1"})
    ip("-n", bare.namespace, "link", "set", "eth0", "down")
    try:
        expect(zebra, set(), set())
    finally:
        ip("-n", bare.namespace, "link", "set", "eth0", "up")
        ip("-n", bare.namespace, "address", "replace", "fd00::11/64", "dev", "eth0", "nodad")


def test_a_new_agent_goes_by_the_last_one_while_there_is_none(bare: BareFrr, zebra: Frr, tmp_path: Path) -> None:
    """Each IP version by itself; a file that nobody can read is as good as none."""
    file = tmp_path / "gateways.json"

    def known() -> tuple[str, ...] | None:
        watch = GatewayWatch(lambda _cause: None, file)
        asking = Thread(target=lambda: found.append(watch.current(wanted=True)))
        found: list[tuple[str, ...] | None] = []
        asking.start()
        wait_until(lambda: watch.is_pressing, "the reconcile thread to ask")
        watch.look(zebra)
        asking.join()
        assert watch.expected(zebra) == list(found[0] or ())
        return found[0]

    assert known() == ()
    route(bare, "-4", "route", "add", "default", "via", "10.0.0.1")
    route(bare, "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    expect(zebra, {"10.0.0.1"}, {"fe80::1%eth0"})
    assert known() == ("10.0.0.1", "fe80::1%eth0")
    route(bare, "-6", "route", "replace", "default", "via", "fd00::2")
    route(bare, "-4", "route", "delete", "default")
    expect(zebra, set(), {"fd00::2"})
    assert known() == ("10.0.0.1", "fd00::2")
    for broken in ("", "[]", '{"4": ["router"]}', '{"4": 1}'):
        file.write_text(broken)
        assert known() == ("fd00::2",), f"expected {broken!r} to be no answer"


def test_a_route_by_way_of_another_route_names_the_next_hop_that_the_kernel_uses() -> None:
    """Both versions print this for a static or iBGP default route whose next hop is reached through a router."""
    hops = [
        {"ip": "10.99.0.1", "active": True, "recursive": True},
        {"ip": "10.0.0.1", "active": True, "fib": True, "resolver": True},
    ]
    answer = json.dumps({"0.0.0.0/0": [{"selected": True, "nexthops": hops}]})
    assert read_gateways(answer, COMMANDS[4]) == ("10.0.0.1",)


def test_what_is_no_json_is_said(zebra: Frr) -> None:
    """Not taken for a node without a default route."""
    with pytest.raises(VtyError, match="printed no JSON"):
        read_gateways("% Unknown command", COMMANDS[4])
    assert read_gateways(json.dumps({}), COMMANDS[4]) == ()
