"""A node whose many BGPPeers each use other fields, and real FRRs as the routers that they speak to.

``router`` has one address in a subnet of its own for each session, ``far`` is a hop behind it and listens on
another port, ``inner`` is of the node's own AS, and a second cable to ``router`` has no address at all::

    inner (AS 64512) --- node --- router (AS 64520) --- far (AS 64530, port 1790)
                              ---
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from frrsync.core.allocate import allocate
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.directory.store import check_paths
from frrsync.frr.apply import Applier
from frrsync.frr.render import Renderer
from frrsync.frr.session import open_frr
from frrsync.lab.frr import NODE_OPTIONS, FrrInstance
from frrsync.lab.process import end_members
from frrsync.lab.rootfs import installation
from frrsync.settings import Settings
from instruments.documents import ManifestFolder
from instruments.network import ip
from topology.bare_frr import wait_until
from topology.field_manifests import (
    FAR_LINES,
    INNER_LINES,
    NUMBERS,
    OFF_LINK,
    SOURCE,
    everything,
    router_lines,
    router_of,
)

if TYPE_CHECKING:
    from frrsync.core.model import Mistake
    from frrsync.lab.rootfs import FrrVersion

_serial = itertools.count()


class FieldSessions:
    """The network, the four FRRs, and the way from manifests to the node's one.

    Attributes:
        router, far, inner: the FRRs at the other ends.
        folder: the manifests; ``apply`` brings the node's FRR to what they say.

    """

    def __init__(self, version: FrrVersion) -> None:
        self._version = version
        self._stack = contextlib.ExitStack()
        self._top = Path(tempfile.mkdtemp(prefix="frrsync-fields-"))
        self._stem = f"frrfields{os.getpid()}x{next(_serial)}"
        self.folder = ManifestFolder(self._top / "manifests", self._top / "staging")

    def __enter__(self) -> Self:
        """Build everything and apply the manifests; sessions are not waited for."""
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self._top)
            self._top.chmod(0o755)
            spaces = {name: f"{self._stem}{name}" for name in ("node", "router", "far", "inner")}
            for namespace in spaces.values():
                ip("netns", "add", namespace)
                stack.callback(ip, "netns", "delete", namespace)
                ip("-n", namespace, "link", "set", "lo", "up")
            stack.callback(end_members, list(spaces.values()))
            self._spaces = spaces
            self._build()
            self.router = self._start("router", router_lines())
            self.far = self._start("far", FAR_LINES, bgpd=("-p", "1790"))
            self.inner = self._start("inner", INNER_LINES)
            self.node = self._start("node", "", **NODE_OPTIONS)
            self._frr = open_frr(Settings(vty_dir=self.node.run_dir, vtysh=self.node.vtysh_path))
            stack.callback(self._frr.close)
            self._applier = Applier(self._frr)
            self._renderer = Renderer(None, self._frr.dialect)
            self._decider = NodeDecider(NodeOptions(node="n1"))
            self.folder.put(*everything())
            self.mistakes = self.apply()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stack.close()

    def _start(self, name: str, text: str, **options: tuple[str, ...]) -> FrrInstance:
        frr = FrrInstance(
            installation(self._version), namespace=self._spaces[name], folder=self._top / name, options=options
        )
        frr.prepare()
        frr.conf.write_text(text, "ascii")
        frr.start()
        return frr

    def _link(self, left: str, left_device: str, right: str, right_device: str) -> None:
        names = self._spaces
        ip("link", "add", left_device, "netns", names[left],
           "type", "veth", "peer", "name", right_device, "netns", names[right])  # fmt: skip
        ip("-n", names[left], "link", "set", left_device, "up")
        ip("-n", names[right], "link", "set", right_device, "up")

    def _address(self, name: str, device: str, *addresses: str) -> None:
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            ip("-n", self._spaces[name], "address", "add", address, *nodad, "dev", device)

    def _build(self) -> None:
        self._link("node", "eth0", "router", "eth0")
        self._link("node", "eth1", "router", "eth1")
        self._link("node", "eth2", "inner", "eth0")
        self._link("router", "eth2", "far", "eth0")
        for number in NUMBERS.values():
            self._address("node", "eth0", f"10.99.{number}.1/24")
            self._address("router", "eth0", f"10.99.{number}.2/24")
        self._address("node", "eth0", f"{SOURCE}/24", "fd99::1/64")
        self._address("router", "eth0", "fd99::2/64")
        self._address("router", "lo", f"{OFF_LINK}/128")
        self._address("node", "eth2", "10.97.0.1/24")
        self._address("inner", "eth0", "10.97.0.2/24")
        self._address("router", "eth2", "10.98.0.1/24")
        self._address("far", "eth0", "10.98.0.2/24")
        ip("-n", self._spaces["node"], "route", "add", "10.98.0.0/24", "via", router_of("plain"))
        ip("-n", self._spaces["node"], "route", "add", f"{OFF_LINK}/128", "via", "fd99::2")
        ip("-n", self._spaces["far"], "route", "add", "10.99.0.0/16", "via", "10.98.0.1")
        self._run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        rules = ["table ip tries {", "chain input { type filter hook input priority 0;"]
        rules += [
            f"ip daddr {router_of(name)} tcp flags syn counter reject with tcp reset;"
            for name in ("retries-fast", "retries-slow")
        ]
        self._run("router", "nft", "-f", "-", text="\n".join((*rules, "}", "}", "")))

    def _run(self, name: str, *command: str, text: str = "") -> str:
        done = subprocess.run(  # noqa: S603 - our own words
            ["ip", "netns", "exec", self._spaces[name], *command],  # noqa: S607
            capture_output=True, text=True, check=True, input=text,
        )  # fmt: skip
        return done.stdout

    def apply(self) -> tuple[Mistake, ...]:
        """Bring the node's FRR to what the manifests say; return what is wrong with them."""
        state = check_paths([self.folder.path])
        allocated = allocate(state.snapshot, {}, load_balancer_class="").allocated
        decision = self._decider.decide(state.snapshot, allocated)
        self._applier.apply(self._renderer.render(decision.config).tree, "test", reread=True)
        return (*state.mistakes, *decision.mistakes)

    # --- what the other ends see

    def tries(self, name: str) -> int:
        """Return how often the node has tried to connect where nobody answers."""
        rules = json.loads(self._run("router", "nft", "-j", "list", "table", "ip", "tries"))["nftables"]
        for rule in (item["rule"] for item in rules if "rule" in item):
            if rule["expr"][0]["match"]["right"] == router_of(name):
                counter = next(part["counter"] for part in rule["expr"] if "counter" in part)
                return int(counter["packets"])
        raise AssertionError(f"expected a rule for {name}, found {rules}")

    def seen(self, frr: FrrInstance, neighbor: str) -> dict[str, Any]:
        """Return what an FRR says about its session with a neighbor."""
        found: dict[str, Any] = frr.json(f"show bgp neighbors {neighbor} json")[neighbor]
        return found

    def wait_until_up(self, frr: FrrInstance, neighbor: str, seconds: float = 30.0) -> dict[str, Any]:
        """Return what an FRR says about a session when it is established."""
        wait_until(
            lambda: self.seen(frr, neighbor)["bgpState"] == "Established",
            f"the session of {frr.namespace} with {neighbor}, found {self.seen(frr, neighbor)['bgpState']}",
            seconds,
        )
        return self.seen(frr, neighbor)

    def path(self, frr: FrrInstance, neighbor: str, prefix: str, seconds: float = 15.0) -> dict[str, Any]:
        """Return the path that an FRR got from a neighbor for a prefix, once it is there."""
        family = "ipv6" if ":" in prefix else "ipv4"
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            paths = frr.json(f"show bgp {family} unicast {prefix} json").get("paths", [])
            found[:] = [one for one in paths if neighbor in {one["peer"].get("peerId"), one["peer"].get("interface")}]
            return bool(found)

        wait_until(is_there, f"{prefix} from {neighbor} at {frr.namespace}", seconds)
        return found[0]

    def bfd(self, frr: FrrInstance, neighbor: str) -> dict[str, Any]:
        """Return what bfdd says about its session with an address, once that is up."""
        found: dict[str, Any] = {}

        def is_up() -> bool:
            found.update({one["peer"]: one for one in frr.json("show bfd peers json")})
            return bool(found.get(neighbor, {}).get("status") == "up")

        wait_until(is_up, f"BFD with {neighbor} to be up, found {found.get(neighbor)}", 15)
        answer: dict[str, Any] = found[neighbor]
        return answer
