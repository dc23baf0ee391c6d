"""FRR's own words for what it runs, read apart from the product: configuration as a tree, and its vty socket."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from frrsync.lab.frr import FrrInstance
from frrsync.lab.rootfs import installation
from instruments.network import Cable

if TYPE_CHECKING:
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion

Tree = dict[str, "Tree"]
_NOISE = ("!", "exit", "end", "Building configuration", "Current configuration")


def tree_of(text: str) -> Tree:
    """Return a configuration as nested lines, free of order, repetition and section ends."""
    root: Tree = {}
    levels = [(-1, root)]
    for line in text.splitlines():
        words = line.strip()
        if not words or words.startswith(_NOISE):
            continue
        depth = len(line) - len(line.lstrip())
        while levels[-1][0] >= depth:
            levels.pop()
        levels.append((depth, levels[-1][1].setdefault(words, {})))
    return root


def running_tree(frr: FrrInstance) -> Tree:
    """Return what FRR runs; the name of the machine is no part of it."""
    tree = tree_of(frr.vtysh("show running-config"))
    return {line: below for line, below in tree.items() if not line.startswith("hostname ")}


def fresh_tree(text: str, version: FrrVersion, path: Path) -> Tree:
    """Return what an FRR of its own runs after it has loaded this text from its file."""
    with Cable([]) as cable:
        frr = FrrInstance(installation(version), namespace=cable.node, folder=path / "frr")
        frr.prepare()
        frr.conf.write_text(text, encoding="utf-8")
        try:
            frr.start()
            return running_tree(frr)
        finally:
            frr.stop()


def differences(one: Tree, other: Tree, path: str = "") -> list[str]:
    """Return the lines that only one of two trees has, with their contexts."""
    found = []
    for line in sorted(one.keys() | other.keys()):
        where = f"{path} / {line}" if path else line
        if line not in other:
            found.append(f"only in the first: {where}")
        elif line not in one:
            found.append(f"only in the second: {where}")
        else:
            found.extend(differences(one[line], other[line], where))
    return found


def configure(socket_path: Path, *lines: str) -> None:
    """Send configuration lines straight to a daemon, behind everybody's back; a refused line raises."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(socket_path))
        for line in ("enable", "configure terminal", *lines, "end"):
            client.sendall(line.encode() + b"\0")
            answer = b""
            while len(answer) < 4 or answer[-4:-1] != b"\0\0\0":
                answer += client.recv(65536)
            if answer[-1]:
                raise RuntimeError(f"FRR refused {line!r} with status {answer[-1]}: {answer[:-4].decode()}")
