"""A real FRR on which plans are carried out, and the configurations that its tests share."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Self

from frrsync.frr.apply import Applier
from frrsync.frr.plan import Daemon
from frrsync.frr.render import Renderer
from instruments.network import ip
from topology.bare_frr import BareFrr, wait_until

if TYPE_CHECKING:
    from frrsync.core.frr_config import FrrConfig
    from frrsync.frr.apply import ApplyResult
    from frrsync.frr.plan import Command
    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion


class PlanFrr(BareFrr):
    """An FRR without neighbors that answer, with two interfaces for unnumbered ones."""

    def __init__(self, version: FrrVersion) -> None:
        super().__init__(version)
        self.namespace = f"frrsync-plan-{os.getpid()}-{version}"

    def __enter__(self) -> Self:
        """Start it, empty, and connect both ways."""
        super().__enter__()
        for command in ("link add eth0 type veth peer name eth1", "link set eth0 up", "link set eth1 up"):
            ip("-n", self.namespace, *command.split(" "))
        self._ways = {way: self.open(way) for way in ("sockets", "vtysh")}
        self._appliers = {way: Applier(frr) for way, frr in self._ways.items()}
        self._renderer = Renderer(None, self._ways["sockets"].dialect)
        return self

    def tree(self, config: FrrConfig) -> Tree:
        """Return a configuration as this FRR would run it."""
        return self._renderer.render(config).tree

    def lead_to(self, config: FrrConfig | Tree, way: str = "sockets") -> ApplyResult:
        """Apply, which verifies; afterwards nothing may differ and there must be nothing left to send."""
        wanted = config if isinstance(config, dict) else self.tree(config)
        applier = self._appliers[way]
        result = applier.apply(wanted, "test", reread=True)
        left = applier.plan(wanted)
        assert not left, f"expected nothing left to send, found {left.commands}"
        return result

    def edit(self, *commands: Command) -> None:
        """Send lines by hand, past the applier."""
        self._ways["sockets"].send(commands)

    def drift(self, config: FrrConfig) -> str:
        """Return what runs otherwise than configured, for people; empty for nothing."""
        missing, unexpected = self._appliers["sockets"].differences(self.tree(config))
        return " / ".join(" ".join(path) for path in (*missing, *unexpected))

    def wait_for_maps(self) -> None:
        """Return when bgpd has seen every change of a route-map; until then 8.4 may use what is freed."""

        def is_processed() -> bool:
            maps = json.loads(self._ways["sockets"].show("show route-map json", Daemon.BGPD))
            found = maps.get("bgp", maps.get("BGP", maps))
            assert found, f"expected route-maps, found {maps}"
            return not any(item["processedChange"] for item in found.values())  # FRR means "to be processed"

        wait_until(is_processed, "bgpd to have seen the changed route-maps")

    def empty(self) -> None:
        """Begin anew with empty daemons, after whatever a test did to them."""
        for daemon in ("bgpd", "bfdd"):
            self.restart(daemon)
