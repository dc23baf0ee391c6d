"""A host whose FRR belongs to an operator: an unnumbered session to a leaf, static routes, policy; and frrsync."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from frrsync.errors import LabError
from frrsync.lab.frr import DAEMONS, ROUTER_OPTIONS, FrrInstance
from instruments.network import ip
from instruments.node import SPEAKERS
from instruments.running import configure
from topology.agent_program import AgentBench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

PAGE = Path(__file__).parents[2] / "docs/shared-frr.md"
ROUTER = "router bgp 64512"
IPV4 = "address-family ipv4 unicast"
MARK = "4294967294:0:1"
OURS = ("203.0.113.", "198.51.100.", "2001:db8:a:", "2001:db8:b:")
"""How the addresses of Services begin in these tests."""
THEIRS = ("192.0.2.1/32", "192.0.2.64/26")
LEAF = """frr defaults datacenter
log file /var/log/frr/leaf.log debugging
debug bgp updates in
interface fab0
 ipv6 nd ra-interval 1
 no ipv6 nd suppress-ra
exit
router bgp 65100
 bgp router-id 192.0.2.254
 no bgp network import-check
 neighbor fab0 interface remote-as external
 neighbor fab0 timers connect 1
 address-family ipv4 unicast
  network 198.18.0.0/24
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:fab::/64
  neighbor fab0 activate
 exit-address-family
exit
"""


def example() -> str:
    """Return the operator's file of the documentation."""
    text = PAGE.read_text("utf-8").partition("<!-- operator.conf -->\n```\n")[2].partition("```\n")[0]
    assert text, f"expected the example in {PAGE}"
    return text


def operators_part(text: str) -> str:
    """Return a running configuration without what is frrsync's, line by line as FRR printed it."""
    kept: list[str] = []
    skipping = ""
    for line in text.splitlines():
        if skipping:
            # a block ends with its exit and the mark behind it
            skipping = "" if line == skipping else skipping
            continue
        if line.startswith("route-map frrsync-"):
            skipping = "!"
        elif line.startswith(" profile frrsync-"):
            skipping = " !"
        elif not _is_ours(line):
            kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def _is_ours(line: str) -> bool:
    """Say whether a line within an instance is a prefix or a neighbor of ours."""
    words = line.replace(" no neighbor ", " neighbor ").split()
    is_prefix = "route-map frrsync-class-" in line or "route-map frrsync-transit-" in line
    return is_prefix or (words[:1] == ["neighbor"] and words[1] in {speaker.address for speaker in SPEAKERS})


class SharedBench(AgentBench):
    """An AgentBench whose FRR runs an operator's file, with a leaf at the end of another cable."""

    def __init__(self, path: Path, version: FrrVersion, conf: str | None = None) -> None:
        super().__init__(path, version)
        # FRR prints these two of its own, and its reload tool takes back what the file does not say
        self._conf = "no ip forwarding\nno ipv6 forwarding\n" + example() if conf is None else conf
        self._stack = contextlib.ExitStack()
        self._undo: list[tuple[str, tuple[str, ...]]] = []

    def __enter__(self) -> Self:
        """Start the operator's FRR and the leaf, and wait for the session between them."""
        super().__enter__()
        with contextlib.ExitStack() as stack:
            frr = self.node.frr
            namespace = f"{frr.namespace}leaf"
            ip("netns", "add", namespace)
            stack.callback(ip, "netns", "delete", namespace)
            ip(
                "link",
                "add",
                "fab0",
                "netns",
                frr.namespace,
                "type",
                "veth",
                "peer",
                "name",
                "fab0",
                "netns",
                namespace,
            )
            for end in (frr.namespace, namespace):
                ip("-n", end, "link", "set", "fab0", "up")
            frr.stop()
            self.node.frr = FrrInstance(
                frr.installation, namespace=frr.namespace, folder=frr.folder, daemons=(*DAEMONS, "staticd")
            )
            stack.callback(self.node.frr.stop)
            self.leaf = FrrInstance(
                frr.installation,
                namespace=namespace,
                folder=frr.folder.with_name("leaf"),
                daemons=("zebra", "bgpd"),
                options=ROUTER_OPTIONS,
            )
            stack.callback(self.leaf.stop)
            for one, conf in ((self.node.frr, self._conf), (self.leaf, LEAF)):
                one.prepare()
                one.conf.write_text(conf, encoding="utf-8")
                one.start()
            self._stack = stack.pop_all()
        self.wait(lambda: set(THEIRS) <= self.at_leaf(), "the operator's routes at the leaf", 30)
        return self

    def __exit__(self, *unused: object) -> None:
        """End everything."""
        self.stop()
        self._stack.close()
        super().__exit__(*unused)

    # --- the operator

    def operate(self, *lines: str, undo: tuple[str, ...] = (), daemon: str = "bgpd") -> None:
        """Do what an operator does in vtysh, and remember what takes it back."""
        if undo:
            self._undo.append((daemon, undo))
        configure(self.node.frr.run_dir / f"{daemon}.vty", *lines)

    def paste(self, said: str, *, undo: tuple[tuple[str, ...], ...] = ()) -> None:
        """Type the lines that a text says to add into vtysh, as they stand there."""
        lines = re.findall(r"'([^']+)'", re.split(r" to keep them back|; neighbor ", said.partition("; add ")[2])[0])
        assert lines, f"expected lines to add, found {said}"
        self._undo += [("", item) for item in undo]
        for line in lines:
            answer = self.node.frr.vtysh("configure terminal", *line.split(" / "))
            assert "%" not in answer, f"expected FRR to take {line!r}, found {answer}"

    def restore(self) -> None:
        """Take back what the operator did, the last first; what is back already is no fault."""
        while self._undo:
            daemon, lines = self._undo.pop()
            with contextlib.suppress(RuntimeError, LabError):
                if daemon:
                    self.operate(*lines, daemon=daemon)
                else:  # pasted: vtysh gives a route-map to more daemons than bgpd
                    self.node.frr.vtysh("configure terminal", *lines)

    def reload(self) -> None:
        """Have FRR's own tool bring FRR to the operator's file."""
        frr = self.node.frr
        command = ["/usr/lib/frr/frr-reload.py", "--reload", "--bindir", "/usr/bin", "/etc/frr/frr.conf"]
        if frr.installation.root is not None:
            command = ["chroot", str(frr.installation.root), *command]
        script = f"{frr._mounts()}\nexec {shlex.join(command)}"
        inside = ["ip", "netns", "exec", frr.namespace, "unshare", "--mount", "--propagation", "slave", "sh", "-c"]
        done = subprocess.run([*inside, script], capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
        assert done.returncode == 0, f"expected frr-reload.py to work, found {(done.stdout + done.stderr)[-500:]}"

    def running(self) -> str:
        """Return what FRR runs, as it prints it."""
        return self.node.frr.vtysh("show running-config")

    # --- the leaf

    def at_leaf(self) -> set[str]:
        """Return the prefixes that the leaf has from the host."""
        found: set[str] = set()
        for family in ("ipv4", "ipv6"):
            table = json.loads(self.leaf.vtysh(f"show bgp {family} unicast json")).get("routes", {})
            found |= {
                prefix for prefix, paths in table.items() if any(path.get("peerId") != "(unspec)" for path in paths)
            }
        return found

    def wait_fabric(self) -> None:
        """Wait for the operator's routes at the leaf, after a restart of FRR.

        On a busy machine bgpd 10.3 may start without the link of its unnumbered neighbor, and stays so: then the
        link is set down and up again.
        """
        with contextlib.suppress(AssertionError):
            self.wait(lambda: set(THEIRS) <= self.at_leaf(), "the operator's routes at the leaf", 10)
            return
        for state in ("down", "up"):
            ip("-n", self.node.frr.namespace, "link", "set", "fab0", state)
        self.wait(lambda: set(THEIRS) <= self.at_leaf(), "the operator's routes at the leaf, with a new link", 30)

    def ours_at_leaf(self) -> list[str]:
        """Return every update of ours that the leaf was ever sent."""
        log = (self.leaf.log_dir / "leaf.log").read_text("utf-8", "replace")
        return [line for line in log.splitlines() if "rcvd" in line and any(f" {start}" in line for start in OURS)]

    def fabric_sessions(self) -> dict[str, Any]:
        """Return what only a reset of the fabric session would change."""
        summary = json.loads(self.leaf.vtysh("show bgp ipv4 unicast summary json"))["peers"]
        return {
            name: (peer["state"], peer["connectionsEstablished"], peer["connectionsDropped"])
            for name, peer in summary.items()
        }

    # --- frrsync

    def start(self, *options: str, command: str = "run") -> Program:
        """Start frrsync in shared mode; unless said otherwise it leaves nothing when it is ended."""
        return super().start("--frr-mode", "shared", "--on-stop", "withdraw", *options, command=command)

    def announced(self, peer: str = "tor1") -> set[int]:
        """Return the numbers of the Services that a peer has; -1 for any other prefix."""
        self.node.listener.follow()
        found = [prefix.removesuffix("/32").removeprefix("203.0.113.") for prefix in self.node.listener.tables[peer]]
        return {int(rest) if rest.isdigit() else -1 for rest in found}

    def foreign_events(self, *but: str) -> list[str]:
        """Return what our neighbors, but for some, were sent since the last look and is not ours or has our mark."""
        return [
            f"{prefix} {event.route}"
            for event in self.events()
            if event.peer not in but
            for prefix in event.announced
            if not prefix.startswith(OURS) or (event.route and MARK in event.route.large_communities)
        ]


class Witness:
    """Looks at the operator's configuration again and again while something happens."""

    def __init__(self, bench: SharedBench) -> None:
        self._bench = bench
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.wanted = operators_part(bench.running())
        self.looks = 0
        self.changed = ""

    def _look(self) -> None:
        while not self._stop.is_set() and not self.changed:
            found = operators_part(self._bench.running())
            self.looks += 1
            self._stop.wait(0.1)
            if found != self.wanted:
                self.changed = found

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and fail if anything of the operator's was ever different."""
        self._stop.set()
        self._thread.join(30)
        self.check()

    def check(self) -> None:
        """Fail if anything of the operator's was ever different."""
        wanted, found = self.wanted.splitlines(), self.changed.splitlines()
        missing = [line for line in wanted if line not in found] if found else []
        new = [line for line in found if line not in wanted]
        assert not self.changed, f"expected the operator's lines, missing {missing}, new {new}:\n{self.changed}"
        assert self.looks, "expected at least one look"


@contextlib.contextmanager
def fabric_untouched(bench: SharedBench) -> Iterator[None]:
    """Fail if the fabric session was reset, or the leaf was sent a prefix of ours."""
    before = bench.fabric_sessions()
    told = len(bench.ours_at_leaf())
    yield
    after = bench.fabric_sessions()
    assert after == before, f"expected the fabric sessions {before}, found {after}"
    found = bench.ours_at_leaf()[told:]
    assert not found, f"expected none of our prefixes at the leaf, found {found[:5]}"
