"""How long FRR needs to take a change, beside frr-reload.py on the same change."""

from __future__ import annotations

import shlex
import subprocess
import time
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from bench.machines import NODE_ASN, ROUTER_ASN, ROUTER_IPV4, Site, cpu_seconds, timed
from bench.result import Row
from frrsync.core.frr_config import (
    OUTBOUND_PREFIX,
    Activation,
    AddressFamily,
    BgpRouter,
    FrrConfig,
    Neighbor,
    Network,
    OutboundEntry,
    OutboundMap,
)
from frrsync.core.route_class import classes_of
from frrsync.frr.apply import Applier
from frrsync.frr.render import Renderer
from frrsync.frr.session import open_frr
from frrsync.settings import Settings
from instruments.network import NODE_IPV4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.frr.session import Frr
    from frrsync.lab.rootfs import FrrVersion
    from frrsync.settings import ApplyWith

FIRST = IPv4Address("198.18.0.0")
MANY = 10_000
"""Above this many prefixes fewer repetitions."""
IDLE_SECONDS = 0.5
RACK, EVERYWHERE = classes_of([("rack",), ("everywhere",)]).values()


def configuration(prefixes: int, *, moved_every: int = 0, community: str = "64512:100") -> FrrConfig:
    """Return a node with so many prefixes in one class, some of them moved to the other."""
    networks = tuple(
        Network(
            prefix=f"{FIRST + number}/32",
            class_map=(EVERYWHERE if moved_every and number % moved_every == 0 else RACK).name,
        )
        for number in range(prefixes)
    )
    outbound = OutboundMap(
        name=f"{OUTBOUND_PREFIX}{community.replace(':', '')}",
        entries=(
            OutboundEntry(sequence=10, tag=RACK.tag, description="rack", communities=(community,)),
            OutboundEntry(sequence=20, tag=EVERYWHERE.tag, description="everywhere"),
        ),
    )
    family = AddressFamily(
        name="ipv4",
        networks=networks,
        activations=(Activation(peer=ROUTER_IPV4, outbound_map=outbound.name),),
    )
    neighbor = Neighbor(peer=ROUTER_IPV4, remote_as=str(ROUTER_ASN), connect_time=1)
    router = BgpRouter(asn=NODE_ASN, router_id=NODE_IPV4, neighbors=(neighbor,), address_families=(family,))
    return FrrConfig(class_maps=(RACK, EVERYWHERE), outbound_maps=(outbound,), routers=(router,))


def changes(prefixes: int) -> dict[str, tuple[FrrConfig, FrrConfig]]:
    """Return what is measured: a name, and the configurations before and after."""
    base = configuration(prefixes)
    return {
        "first load": (FrrConfig(), base),
        "one prefix more": (base, configuration(prefixes + 1)),
        "another community for all": (base, configuration(prefixes, community="64512:200")),
        "every tenth prefix to another class": (base, configuration(prefixes, moved_every=10)),
    }


def measure(version: FrrVersion, prefixes: int, reload_limit: float) -> Iterator[Row]:
    """Yield a row for each change and each way to make it; the router's session is up all the time."""
    repetitions: dict[ApplyWith, int] = {"sockets": 5, "vtysh": 3} if prefixes <= MANY else {"sockets": 3, "vtysh": 1}
    with Site(version) as site:
        for what, (before, after) in changes(prefixes).items():
            common = {"frr": version, "prefixes": prefixes}
            for way, count in repetitions.items():
                samples = [_by_frrsync(site, way, before, after) for _ in range(count)]
                yield Row.of_samples(f"apply: {what}", {**common, "by": way}, samples)
            row = Row(what=f"apply: {what}", setting={**common, "by": "frr-reload.py"}, value=None, unit="ms")
            try:
                yield replace(row, value=_by_frr_reload(site, before, after, reload_limit) * 1000)
            except subprocess.TimeoutExpired:
                yield replace(row, note=f"not within {reload_limit:g} s")
                site.empty_node()
        frr, applier, renderer = _bring_to(site, configuration(prefixes))
        rendered = renderer.render(configuration(prefixes))
        read_back = [timed(lambda: applier.apply(rendered.tree, "bench", reread=True)) for _ in range(5)]
        frr.close()
        yield Row.of_samples("read back all and compare: nothing to do", {**common, "by": "sockets"}, read_back)


def _settings(site: Site, apply_with: ApplyWith = "sockets") -> Settings:
    return Settings(vty_dir=site.node.run_dir, vtysh=site.node.vtysh_path, apply_with=apply_with)


def _bring_to(site: Site, config: FrrConfig) -> tuple[Frr, Applier, Renderer]:
    """Make the node run a configuration, and return what did it, warm as in a running agent."""
    frr = open_frr(_settings(site), timeout=300)
    renderer = Renderer(None, frr.dialect)
    applier = Applier(frr)
    applier.apply(renderer.render(config).tree, "bench")
    applier.verify_pending()
    _settle(site, prefixes=sum(len(family.networks) for router in config.routers for family in router.address_families))
    return frr, applier, renderer


def _by_frrsync(site: Site, way: ApplyWith, before: FrrConfig, after: FrrConfig) -> float:
    """Return the seconds from the typed configuration to the last line taken by FRR, rendering included."""
    frr, applier, renderer = _bring_to(site, before)
    if way == "vtysh":
        frr.close()
        frr = open_frr(_settings(site, way), timeout=300)
        applier = Applier(frr)
        applier.apply(renderer.render(before).tree, "bench")
    started = time.monotonic()
    applier.apply(renderer.render(after).tree, "bench")
    seconds = time.monotonic() - started
    applier.verify_pending()
    frr.close()
    return seconds


def _by_frr_reload(site: Site, before: FrrConfig, after: FrrConfig, limit: float) -> float:
    """Return the seconds that frr-reload.py needs for the same change.

    It is given what FRR itself prints after the change, so that there is nothing else for it to do.
    """
    frr, _, _ = _bring_to(site, after)
    frr.close()
    wanted = site.node.vtysh("show running-config", seconds=300)
    frr, _, _ = _bring_to(site, before)
    frr.close()
    (site.node.folder / "etc/wanted.conf").write_text(wanted.partition("Current configuration:")[2], "utf-8")
    root = site.node.installation.root
    reload = ["/usr/lib/frr/frr-reload.py", "--reload", "--bindir", "/usr/bin", "/etc/frr/wanted.conf"]
    if root is not None:
        reload = ["chroot", str(root), *reload]
    script = f"{site.node._mounts()}\nexec {shlex.join(reload)}"
    started = time.monotonic()
    with (site.node.folder / "reload.log").open("ab") as log:
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=limit,
            check=False,
        )
    seconds = time.monotonic() - started
    said = (site.node.folder / "reload.log").read_text("utf-8", "replace")[-500:]
    if done.returncode:
        raise RuntimeError(f"frr-reload.py ended with {done.returncode}: {said}")
    _require_lines(site, wanted)
    return seconds


def _require_lines(site: Site, wanted: str) -> None:
    """Make sure that frr-reload.py did what it was measured for."""
    missing = set(wanted.splitlines()) - set(site.node.vtysh("show running-config", seconds=300).splitlines())
    if missing:
        raise RuntimeError(f"frr-reload.py left out {len(missing)} lines, such as {min(missing)!r}")


def _settle(site: Site, prefixes: int, seconds: float = 120) -> None:
    """Wait until the router was sent all prefixes and every daemon of FRR has been idle for a while."""
    pids = [pid for frr in (site.node, site.router) for pid in frr.pids().values() if pid is not None]
    deadline = time.monotonic() + seconds
    idle_since = time.monotonic()
    used = cpu_seconds_of(pids)
    while time.monotonic() - idle_since < IDLE_SECONDS or _prefixes_sent(site) != prefixes:
        if time.monotonic() > deadline:
            raise TimeoutError(f"FRR was not idle with {prefixes} prefixes sent within {seconds:g} s")
        time.sleep(0.1)
        now = cpu_seconds_of(pids)
        if now - used > 0.02:
            idle_since = time.monotonic()
        used = now


def _prefixes_sent(site: Site) -> int:
    """Return how many prefixes the router was sent; 0 without a session."""
    peers = site.node.json("show bgp ipv4 unicast summary json").get("peers", {})
    return int(peers.get(ROUTER_IPV4, {}).get("pfxSnt", 0))


def cpu_seconds_of(pids: list[int]) -> float:
    """Return the processor time that processes have used together."""
    return sum(cpu_seconds(pid) for pid in pids)
