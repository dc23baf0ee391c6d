"""One FRR without neighbors in a namespace of its own, to be spoken to and to be broken."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from frrsync.frr.session import open_frr
from frrsync.frr.tree import parse
from frrsync.frr.vty import VtySocket
from frrsync.lab.frr import FrrInstance
from frrsync.lab.process import end_members
from frrsync.lab.rootfs import installation
from frrsync.settings import Settings
from instruments.network import ip

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from frrsync.frr.session import Frr
    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion
    from frrsync.settings import ApplyWith

PASSWORD = "s3cret?Wort"  # noqa: S105 - made up; the question mark is what vtysh takes for a call for help

SAMPLE = f"""
bgp route-map delay-timer 1
ip nht resolve-via-default
ipv6 nht resolve-via-default
bfd
 profile fast
  transmit-interval 100
  receive-interval 100
 exit
exit
route-map frrsync-class-f0000001 permit 10
 set tag 4026531841
exit
route-map frrsync-in deny 65535
exit
route-map frrsync-out-1 permit 10
 match tag 4026531841
 set community 64512:100 64512:200
exit
route-map frrsync-out-1 deny 65535
exit
router bgp 64512
 bgp router-id 192.0.2.11
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor 192.0.2.1 remote-as 64520
 neighbor 192.0.2.1 bfd
 neighbor 192.0.2.1 bfd profile fast
 neighbor 192.0.2.1 password {PASSWORD}
 neighbor 192.0.2.1 timers connect 5
 neighbor 2001:db8::1 remote-as 64520
 !
 address-family ipv4 unicast
  network 203.0.113.7/32 route-map frrsync-class-f0000001
  network 203.0.113.64/26 route-map frrsync-class-f0000001
  neighbor 192.0.2.1 activate
  neighbor 192.0.2.1 route-map frrsync-in in
  neighbor 192.0.2.1 route-map frrsync-out-1 out
 exit-address-family
 !
 address-family ipv6 unicast
  network 2001:db8:9::7/128 route-map frrsync-class-f0000001
  neighbor 2001:db8::1 activate
  neighbor 2001:db8::1 route-map frrsync-in in
  neighbor 2001:db8::1 route-map frrsync-out-1 out
 exit-address-family
exit
"""


def sample() -> Tree:
    """Return a complete configuration in the form of both versions."""
    return parse(SAMPLE)


def changed(*path: str, add: str = "", remove: str = "") -> Tree:
    """Return the sample with a line added or removed in the context at this path."""
    tree = sample()
    context = tree
    for line in path:
        context = context.setdefault(line, {})
    if add:
        context[add] = {}
    if remove:
        del context[remove]
    return tree


ROUTER = "router bgp 64512"
IPV4 = "address-family ipv4 unicast"


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Return when the condition holds; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"expected within {seconds:g} s: {what}"
        time.sleep(0.01)


class BareFrr(FrrInstance):
    """An FRR in a folder that others may enter; gone with the context."""

    def __init__(self, version: FrrVersion) -> None:
        self._top = Path(tempfile.mkdtemp(prefix="frrsync-vty-"))
        self._top.chmod(0o755)  # who may not use the sockets must still find them
        self.version = version
        self._opened: list[Frr] = []
        super().__init__(
            installation(version), namespace=f"frrsync-vty-{os.getpid()}-{version}", folder=self._top, options={}
        )

    def __enter__(self) -> Self:
        """Make the namespace and start the daemons, empty."""
        ip("netns", "add", self.namespace)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything that was started here."""
        self.close_opened()
        end_members([self.namespace])
        ip("netns", "del", self.namespace)
        shutil.rmtree(self._top)

    def kill(self, daemon: str, signum: signal.Signals = signal.SIGKILL) -> None:
        """End a daemon; its last thread may hold the socket a moment longer than the process lives."""
        super().kill(daemon, signum)
        if self.socket_of(daemon).exists():
            with VtySocket(self.socket_of(daemon), timeout=5) as listener:
                wait_until(lambda: not listener.is_alive(), f"nobody to listen at {daemon}'s socket")

    def settings(self, apply_with: str = "sockets", vtysh: Path | None = None) -> Settings:
        """Return the settings that name this FRR."""
        way: ApplyWith = "vtysh" if apply_with == "vtysh" else "sockets"
        return Settings(vty_dir=self.run_dir, vtysh=vtysh or self.vtysh_path, apply_with=way)

    def open(self, apply_with: str = "sockets", timeout: float = 20.0, vtysh: Path | None = None) -> Frr:
        """Return this FRR as the agent sees it, until ``close_opened``."""
        opened = open_frr(self.settings(apply_with, vtysh), timeout=timeout)
        self._opened.append(opened)
        return opened

    def close_opened(self) -> None:
        """Close what was opened since the last call."""
        while self._opened:
            self._opened.pop().close()

    def socket_of(self, daemon: str) -> Path:
        """Return the vty socket of a daemon."""
        return self.run_dir / f"{daemon}.vty"

    def signal(self, daemon: str, signum: signal.Signals) -> None:
        """Send a signal to a daemon without waiting for anything."""
        pid = self.pid(daemon)
        assert pid is not None, f"expected {daemon} to run"
        os.kill(pid, signum)

    def is_present(self, line: str) -> bool:
        """Say whether the running configuration of bgpd has this line, by FRR's own vtysh."""
        return line in {one.strip() for one in self.vtysh("show running-config").splitlines()}
