"""A lab as a whole: built in seconds, found again by its folder, and taken down without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from frrsync import log
from frrsync.errors import LabError
from frrsync.lab import manifests, process
from frrsync.lab.device import Client, Folders, Node, Programs, Router
from frrsync.lab.rootfs import VERSIONS, FrrInstallation, cache_folder, rootfs
from frrsync.lab.topology_file import parse_topology

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from frrsync.lab.device import LabDevice
    from frrsync.lab.topology import Device, Topology

HOME = Path("/run/frrsync-lab")
RECORD = "lab.json"


class Lab:
    """A small data centre.

    ``with Lab(topology) as lab:`` builds it and takes it down. A lab that another program built, or
    was killed while building, is found by ``Lab.open(name)``.
    """

    def __init__(
        self,
        topology: Topology,
        folder: Path | None = None,
        *,
        programs: Programs | None = None,
        installations: Mapping[str, FrrInstallation] | None = None,
    ) -> None:
        self.topology = topology
        self.name = topology.name
        self.folder = (folder or HOME / topology.name).absolute()
        self.folders = Folders(lab=self.folder, manifests=topology.manifests or self.folder / "manifests")
        self.programs = programs or Programs()
        self.installations = {
            device.frr: (installations or {}).get(device.frr) or _installation(device.frr)
            for device in topology.devices
            if device.frr
        }
        self.routers = {device.name: self._router(device) for device in topology.of_kind("router")}
        self.nodes = {device.name: self._node(device) for device in topology.of_kind("node")}
        self.clients = {device.name: Client(topology, device, self.folders) for device in topology.of_kind("client")}
        self._controller_record = self.folder / "controller.process"

    @classmethod
    def open(cls, name: str, folder: Path | None = None) -> Self:
        """Return a lab that exists, whole or half."""
        folder = (folder or HOME / name).absolute()
        try:
            record = json.loads((folder / RECORD).read_text("utf-8"))
        except FileNotFoundError as error:
            known = ", ".join(labs(folder.parent)) or "none"
            raise LabError(f"no lab at {folder}; labs in {folder.parent}: {known}") from error
        found = {
            key: FrrInstallation(
                root=None if item["root"] is None else Path(item["root"]),
                daemons=Path(item["daemons"]),
                vtysh=Path(item["vtysh"]),
                version=item["version"],
            )
            for key, item in record["installations"].items()
        }
        programs = Programs(**{key: tuple(command) for key, command in record["programs"].items()})
        return cls(parse_topology(record["topology"]), folder, programs=programs, installations=found)

    def up(self) -> None:
        """Build the lab; when that fails, what was built is taken down again."""
        from frrsync.lab import network

        _check_rights()
        if taken := network.existing(self.topology.namespaces):
            raise LabError(
                f"network namespaces exist already: {', '.join(taken)}; end it with: frrsync lab down {self.name}"
            )
        for version in self.installations:
            if version in VERSIONS:
                rootfs(version)
        self._claim_folder()
        try:
            network.build(self.topology)
            if self.topology.generate:
                manifests.write(self.topology, self.folders.manifests)
            self.start()
        except BaseException:
            self.down()
            raise
        log.get("lab").info("lab_up", lab=self.name, devices=len(self.topology.devices), folder=str(self.folder))

    def start(self) -> None:
        """Start what does not run, on all devices side by side."""
        with ThreadPoolExecutor(max_workers=8, thread_name_prefix="lab") as pool:
            for done in [pool.submit(device.start) for device in self.devices]:
                done.result()
        if any(node.device.agent for node in self.nodes.values()):
            self.start_controller()

    def down(self) -> None:
        """End every process of the lab and remove all of it, also when it is only half there."""
        from frrsync.lab import network

        _check_rights()
        for record in (self._controller_record, *self.folder.glob("devices/*/*.process")):
            pid = process.recorded(record)
            if pid is not None:
                process.end(pid, signal.SIGKILL)
        process.end_members(self.topology.namespaces)
        network.remove_namespaces(self.topology.namespaces)
        gone = self._beside("gone")
        self.folder.rename(gone)  # half a folder would be a lab that can neither be opened nor built again
        shutil.rmtree(gone)
        with contextlib.suppress(OSError):
            HOME.rmdir()  # when this was the last lab
        log.get("lab").info("lab_down", lab=self.name)

    @property
    def devices(self) -> tuple[LabDevice, ...]:
        """Return all devices in the order of the topology."""
        return (*self.routers.values(), *self.nodes.values(), *self.clients.values())

    def device(self, name: str) -> LabDevice:
        """Return a device by its name."""
        self.topology.device(name)
        return next(device for device in self.devices if device.name == name)

    def exec(self, device: str, argv: Sequence[str], *, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a program on a device; ``vtysh`` is that of the device."""
        return self.device(device).run(argv, seconds=seconds)

    def status(self) -> dict[str, Any]:
        """Return what runs, as a document."""
        from frrsync.lab.status import lab_status

        return lab_status(self)

    @property
    def controller_pid(self) -> int | None:
        """Return the process number of the controller while it runs."""
        return process.recorded(self._controller_record)

    def start_controller(self) -> None:
        """Start the one allocation of the lab, outside of its network: it needs none."""
        if self.controller_pid is None:
            folders = {"--manifests": self.folders.manifests, "--state-dir": self.folders.state}
            options = [text for option, path in folders.items() for text in (option, str(path))]
            process.start_recorded(
                [*self.programs.controller, *options],
                record=self._controller_record,
                output=self.folder / "controller.log",
            )

    def stop_controller(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """End the controller, politely unless told otherwise."""
        pid = self.controller_pid
        if pid is not None:
            process.end(pid, signum, seconds=15)

    def wait_established(self, *, seconds: float = 30.0) -> None:
        """Return when every session that a router of the lab has configured is established."""
        from frrsync.lab.status import sessions

        for router in self.routers.values():

            def complete(router: Router = router) -> bool:
                return all(state == "Established" for state in sessions(router).values())

            process.wait_until(complete, what=f"BGP sessions of {router.name}", seconds=seconds, pause=0.1)

    def __enter__(self) -> Self:
        """Build the lab."""
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the lab down."""
        self.down()

    def _claim_folder(self) -> None:
        """Make the lab's folder with everything that taking it down needs, before anything else exists."""
        record = {
            "topology": self.topology.source,
            "installations": {key: asdict(item) for key, item in self.installations.items()},
            "programs": asdict(self.programs),
        }
        partial = self._beside("new")
        shutil.rmtree(partial, ignore_errors=True)
        for name in ("devices", "run", "state", "manifests"):
            (partial / name).mkdir(parents=True)
        (partial / RECORD).write_text(json.dumps(record, indent=2, default=str), "utf-8")
        try:
            partial.rename(self.folder)  # fails where a folder with something in it is
        except OSError as error:
            shutil.rmtree(partial)
            raise LabError(
                f"the folder {self.folder} exists already; end it with: frrsync lab down {self.name}"
            ) from error

    def _beside(self, purpose: str) -> Path:
        """Return a hidden folder of this process beside the lab's own."""
        return self.folder.with_name(f".{self.folder.name}.{os.getpid()}.{purpose}")

    def _router(self, device: Device) -> Router:
        return Router(self.topology, device, self.folders, self.installations[device.frr])

    def _node(self, device: Device) -> Node:
        return Node(self.topology, device, self.folders, self.installations[device.frr], self.programs)


def labs(home: Path = HOME) -> list[str]:
    """Return the names of the labs that exist."""
    return sorted(found.parent.name for found in home.glob(f"[!.]*/{RECORD}"))


def find(name: str | None, home: Path = HOME) -> Lab:
    """Return the lab of this name, or without a name the only one there is."""
    known = labs(home)
    if name is None and len(known) != 1:
        raise LabError(f"which lab: found {', '.join(known) or 'none'} in {home}, exactly one can go without its name")
    return Lab.open(name or known[0], home / (name or known[0]))


def _installation(frr: str) -> FrrInstallation:
    """Return where the FRR of a device is, or will be once it has been fetched."""
    if frr in VERSIONS:
        return FrrInstallation(root=cache_folder() / f"frr-{frr}", version=frr)
    return FrrInstallation() if frr == "host" else FrrInstallation(root=Path(frr), version=frr)


def _check_rights() -> None:
    """Say what is missing before anything is made."""
    if os.geteuid() != 0:
        raise LabError(f"a lab makes network namespaces, which needs root; found user id {os.geteuid()}")
    packages = {"ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux", "nft": "nftables"}
    if missing := {package for program, package in packages.items() if shutil.which(program) is None}:
        raise LabError(f"programs are missing: apt-get install {' '.join(sorted(missing))}")
