"""Boot a real FRR from a configuration file and read back what it runs."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from frrsync.frr.tree import parse
from frrsync.lab.frr import FrrInstance
from frrsync.lab.process import end_members
from frrsync.lab.rootfs import installation
from instruments.network import ip

if TYPE_CHECKING:
    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion

REPOSITORY = Path(__file__).resolve().parents[2]
_NOISE = re.compile(
    r"frr version |hostname |service |username |no ip(v6)? forwarding$|(Building|Current) configuration"
)
"""Lines that FRR adds to what it was given and that nobody renders."""


def daemon_options(path: Path = REPOSITORY / "frr/daemons") -> dict[str, tuple[str, ...]]:
    """Return the options of each daemon from the file that is copied next to them.

    Without ``-P 0``, which the lab gives every daemon and which FRR refuses to take twice.
    """
    found = re.findall(r'^(\w+)_options="(.*)"$', path.read_text("utf-8"), re.MULTILINE)
    return {daemon: tuple(shlex.split(options.removeprefix("-P 0"))) for daemon, options in found}


class BootedFrr:
    """One FRR in a network namespace of its own that starts anew for every configuration."""

    def __init__(self, version: FrrVersion, name: str) -> None:
        self.version = version
        self._namespace = name
        self._folder = Path(tempfile.mkdtemp(prefix="frrsync-golden-"))
        ip("netns", "add", name)
        for command in ("link set lo up", "link add eth0 type veth peer name eth1", "link set eth0 up"):
            ip("-n", name, *command.split(" "))
        self._frr = FrrInstance(installation(version), namespace=name, folder=self._folder, options=daemon_options())

    def boot(self, text: str) -> Tree:
        """Start FRR with this text as its file, and return what it runs; LabError if it refuses a line."""
        for daemon in self._frr.daemons:
            self._frr.kill(daemon, signal.SIGKILL)
        self._frr.conf.parent.mkdir(parents=True, exist_ok=True)
        self._frr.conf.write_text(text, "utf-8")
        self._frr.start()
        return without_noise(parse(self._frr.vtysh("show running-config")))

    def show(self, command: str) -> str:
        """Return what a show command prints."""
        return self._frr.vtysh(command)

    def installed_version(self) -> str:
        """Return what FRR says about itself; FRR is booted for it if it does not run."""
        if self._frr.pid("bgpd") is None:
            self.boot("")
        return self.show("show version")

    def close(self) -> None:
        """End the daemons and remove the namespace and the folder."""
        end_members([self._namespace])
        ip("netns", "del", self._namespace)
        shutil.rmtree(self._folder)


def without_noise(tree: Tree) -> Tree:
    """Return the tree without the lines that FRR adds of its own."""
    return {line: content for line, content in tree.items() if not _NOISE.match(line)}
