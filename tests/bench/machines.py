"""The two machines of a benchmark: a node with FRR and frrsync, a router with FRR, one cable between."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from frrsync.lab.frr import NODE_OPTIONS, ROUTER_OPTIONS, FrrInstance
from frrsync.lab.rootfs import installation
from instruments.network import NODE_IPV4, Cable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frrsync.lab.rootfs import FrrVersion

ROUTER_IPV4 = "10.99.0.2"
NODE_ASN, ROUTER_ASN = 64512, 64513

_ROUTER_CONF = f"""frr defaults traditional
router bgp {ROUTER_ASN}
 bgp router-id {ROUTER_IPV4}
 no bgp ebgp-requires-policy
 neighbor {NODE_IPV4} remote-as {NODE_ASN}
 neighbor {NODE_IPV4} timers connect 1
"""


class Site:
    """Use as a context manager; nothing of it is left behind."""

    def __init__(self, version: FrrVersion) -> None:
        self.version = version
        self.folder = Path(tempfile.mkdtemp(prefix="frrbench-"))
        self._cable = Cable([ROUTER_IPV4])
        frr = installation(version)
        self.node = FrrInstance(frr, namespace=self._cable.node, folder=self.folder / "n", options=NODE_OPTIONS)
        self.router = FrrInstance(
            frr,
            namespace=self._cable.peers,
            folder=self.folder / "r",
            daemons=("zebra", "bgpd"),
            options=ROUTER_OPTIONS,
        )

    def __enter__(self) -> Self:
        """Start both FRRs; the node's is empty."""
        self._cable.__enter__()
        self.router.prepare()
        self.router.conf.write_text(_ROUTER_CONF, "ascii")
        self.router.start()
        self.node.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them and remove the namespaces and files."""
        for frr in (self.node, self.router):
            frr.stop()
        self._cable.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def empty_node(self) -> None:
        """Restart the node's FRR without any configuration."""
        self.node.stop()
        self.node.start(load=False)


class KernelTable:
    """The router's kernel table as it changes, each change with the moment in which it was seen."""

    def __init__(self, site: Site) -> None:
        self._changes: dict[str, tuple[float, bool]] = {}
        self._changed = threading.Condition(threading.RLock())
        self._process = subprocess.Popen(
            ["ip", "-n", site.router.namespace, "-o", "monitor", "route"], stdout=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the program that follows the table."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def present(self) -> int:
        """Return how many routes were added and not deleted since the start."""
        with self._changed:
            return sum(is_present for _, is_present in self._changes.values())

    def wait(self, prefix: str, *, present: bool, seconds: float = 30) -> float:
        """Return the monotonic moment in which a /32 came or went, at the latest after ``seconds``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is(prefix, present=present), timeout=seconds):
                wanted = "came" if present else "went"
                raise TimeoutError(f"route {prefix} never {wanted} within {seconds:g} s: {self._changes.get(prefix)}")
            return self._changes[prefix][0]

    def wait_count(self, count: int, *, seconds: float) -> float:
        """Return the moment in which at least so many routes were there."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._changes) >= count, timeout=seconds):
                raise TimeoutError(f"{len(self._changes)} of {count} routes within {seconds:g} s")
            return max(moment for moment, _ in self._changes.values())

    def wait_present(self, count: int, *, seconds: float) -> float:
        """Return the moment in which exactly so many routes were there."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.present() == count, timeout=seconds):
                raise TimeoutError(f"expected {count} routes within {seconds:g} s, found {self.present()}")
            return max(moment for moment, _ in self._changes.values())

    def _is(self, prefix: str, *, present: bool) -> bool:
        known = self._changes.get(prefix)
        return (known is not None and known[1]) is present

    def _follow(self) -> None:
        if self._process.stdout is None:
            raise AssertionError("opened as a pipe above")
        for line in self._process.stdout:
            moment = time.monotonic()
            words = line.split()
            is_present = words[0] != "Deleted"
            prefix = words[0] if is_present else words[1]
            if "bgp" in words:
                with self._changed:
                    self._changes[prefix] = (moment, is_present)
                    self._changed.notify_all()


@contextlib.contextmanager
def frrsync_run(site: Site, manifests: Path, *, apply_with: str = "sockets") -> Iterator[subprocess.Popen[bytes]]:
    """Run ``frrsync run`` on the node until the block ends; its log is in the site's folder."""
    settings = {
        "--manifests": manifests,
        "--node": "node1",
        "--state-dir": site.folder / "state",
        "--run-dir": site.folder / "run",
        "--vty-dir": site.node.run_dir,
        "--vtysh": site.node.vtysh_path,
        "--apply-with": apply_with,
    }
    command = ["nsenter", f"--net=/run/netns/{site.node.namespace}", sys.executable, "-m", "frrsync", "run"]
    command += [str(word) for option in settings.items() for word in option]
    with (site.folder / "frrsync.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"no VmRSS in /proc/{pid}/status")


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds an action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started
