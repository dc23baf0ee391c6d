"""A node on which planned changes are carried out: real FRR, real peers, the parts of the agent in their order."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Self

from click.testing import CliRunner

from frrsync.agent.decisions import Decisions
from frrsync.agent.inputs import Known
from frrsync.agent.rendering import Rendering
from frrsync.cli import main
from frrsync.core.allocate import Allocator
from frrsync.core.node_facts import NOTHING_KNOWN
from frrsync.directory.allocation_loop import is_complete
from frrsync.directory.store import ManifestStore
from frrsync.frr.apply import Applier
from frrsync.frr.session import open_frr
from frrsync.settings import Settings
from golden.boot import REPOSITORY
from instruments.documents import ManifestFolder
from instruments.network import NODE_IPV4
from instruments.node import NAME, SPEAKERS, NodeUnderTest
from topology.bare_frr import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from frrsync.frr.plan import Command
    from frrsync.frr.session import Frr
    from frrsync.lab.rootfs import FrrVersion
    from golden.plan_pairs import Folder
    from instruments.observe import Event
    from instruments.route import Tables

ADDRESSES = {speaker.address: speaker.name for speaker in SPEAKERS}
_TEMPLATE = "outbound_maps.j2"


class WatchedFrr:
    """An FRR like any other, whose commands are written down."""

    def __init__(self, frr: Frr) -> None:
        self._frr = frr
        self.sent: list[Command] = []

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to FRR."""
        return getattr(self._frr, name)

    def send(self, commands: Sequence[Command]) -> None:
        """Write down and send."""
        self.sent.extend(commands)
        self._frr.send(commands)


class PlanStage:
    """One FRR and its peers for many pairs of folders."""

    def __init__(self, path: Path, version: FrrVersion) -> None:
        self._path, self._version = path, version
        self._node = NodeUnderTest(path, version, "sockets")
        self._stack = ExitStack()
        self._runs = 0
        self._is_edited = False

    def __enter__(self) -> Self:
        """Start everything."""
        with ExitStack() as stack:
            stack.enter_context(self._node)
            settings = Settings(vty_dir=self._node.frr.run_dir, vtysh=self._node.frr.vtysh_path)
            self._frr = WatchedFrr(stack.enter_context(closing(open_frr(settings))))
            self._stack = stack.pop_all()
        self._applier = Applier(self._frr)
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stack.close()

    # --- the node, as its agent would do it

    def begin(self, folder: Folder) -> None:
        """Give the node an agent that knows nothing yet, and bring it to this folder."""
        self._runs += 1
        self._manifests = ManifestFolder(self._path / f"live{self._runs}", self._path / "staging")
        self._store = ManifestStore([self._manifests.path])
        self._allocator = Allocator({}, load_balancer_class="")
        self._decisions = Decisions(Settings(node=NAME))
        self._bring(folder, None)
        self.wait_for_timer()

    def change(self, folder: Folder, metric: int | None) -> list[Command]:
        """Replace the folder under the same agent; returns the commands that FRR was sent."""
        self._frr.sent.clear()
        self._bring(folder, metric)
        self._is_edited = metric is not None
        return list(self._frr.sent)

    def _bring(self, folder: Folder, metric: int | None) -> None:
        self._manifests.put(*folder.values())
        self._manifests.remove(*[key for key in self._manifests.documents if key not in folder])
        state = self._store.rescan()
        addresses = self._allocator.update(state.snapshot, complete=is_complete(state))
        known = Known(snapshot=state.snapshot, allocated=addresses.allocated, pending=addresses.pending)
        decision = self._decisions.decide(known, NOTHING_KNOWN)
        rendered = Rendering(self.templates(metric)).render(decision.config, self._frr.dialect)
        self._protect(folder)
        self._applier.apply(rendered.tree, "test", reread=True)

    def _protect(self, folder: Folder) -> None:
        """Have the peers ask for the passwords of a folder."""
        secrets = {
            name: found["stringData"]["password"] for (kind, _, name), found in folder.items() if kind == "Secret"
        }
        for speaker in SPEAKERS:
            spec = folder.get(("BGPPeer", "metallb-system", speaker.name), {}).get("spec", {})
            password = spec.get("password") or secrets.get(spec.get("passwordSecret", {}).get("name"), "")
            if ":" not in speaker.address:
                self._node.listener.request("password", peer=speaker.name, remote=NODE_IPV4, password=password)

    def templates(self, metric: int | None) -> Path | None:
        """Return a folder with a template that sets a metric, or None for none."""
        if metric is None:
            return None
        folder = self._path / f"templates{metric}"
        folder.mkdir(exist_ok=True)
        ours = (REPOSITORY / "templates" / _TEMPLATE).read_text("utf-8")
        line = " match tag {{ entry.tag }}\n"
        assert line in ours, f"expected {line!r} in {_TEMPLATE}"
        (folder / _TEMPLATE).write_text(ours.replace(line, f"{line} set metric {metric}\n"), "utf-8")
        return folder

    # --- the plan

    def plan(self, before: Folder, after: Folder, metric: int | None) -> tuple[int, dict[str, Any]]:
        """Return exit code and document of the command, which sees two folders and no FRR."""
        folders = []
        for side, folder in (("from", before), ("to", after)):
            written = ManifestFolder(self._path / f"{side}{self._runs}", self._path / "staging")
            written.put(*folder.values())
            folders += [f"--{side}", str(written.path)]
        options = ["--state-dir", str(self._path / "none"), "--frr-version", self._version, "--output", "json"]
        if metric is not None:
            options += ["--to-templates", str(self.templates(metric))]
        result = CliRunner().invoke(main, ["plan", *folders, *options])
        assert result.stdout, f"expected a document, found exit code {result.exit_code}: {result.stderr}"
        return result.exit_code, json.loads(result.stdout)

    # --- what the peers see

    def wait_for_peers(self, names: frozenset[str], seconds: float = 20) -> None:
        """Return when exactly these sessions are up and nothing has been sent for a moment."""
        found: frozenset[str] = frozenset()

        def is_up() -> bool:
            nonlocal found
            self.quiet(0.15)
            found = frozenset(self._node.listener.up)
            return found == names

        wait_until(is_up, f"sessions of {sorted(names)}, found {sorted(found)}", seconds)
        self.quiet(0.5)

    def quiet(self, seconds: float) -> None:
        """Return when the peers have been sent nothing for so long."""
        last = time.monotonic()
        while time.monotonic() - last < seconds:
            if any(_counts(event) for event in self._node.listener.follow()):
                last = time.monotonic()
            time.sleep(0.02)

    def wait_for_timer(self) -> None:
        """Return when FRR has seen a map that was edited in place: a second later (``route-map delay-timer``)."""
        if self._is_edited:
            self.quiet(1.5)

    def tables(self) -> Tables:
        """Return what every peer has, as the peers themselves hold it."""
        return {speaker.name: self._node.listener.rib(speaker.name) for speaker in SPEAKERS}

    def serials(self) -> dict[str, int]:
        """Return the serial number of every session that is up; every new session counts one up."""
        return {name: found["session"] for name, found in self._node.listener.sessions().items() if found["up"]}


def _counts(event: Event) -> bool:
    return event.kind != "refresh-received"
