"""The devices of a running lab: what can be done with a router, a node and a client."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frrsync.errors import LabError
from frrsync.lab import datapath, process
from frrsync.lab.fetch import Answer
from frrsync.lab.frr import DAEMONS, NODE_OPTIONS, ROUTER_OPTIONS, FrrInstance
from frrsync.lab.router_config import node_config, router_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import NoReturn

    from frrsync.lab.rootfs import FrrInstallation
    from frrsync.lab.topology import Device, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """How the programs of frrsync are started; the lab adds the options."""

    agent: tuple[str, ...] = (sys.executable, "-m", "frrsync", "agent")
    controller: tuple[str, ...] = (sys.executable, "-m", "frrsync", "controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of a lab."""

    lab: Path
    manifests: Path

    @property
    def state(self) -> Path:
        """Return the folder of the allocation record."""
        return self.lab / "state"

    @property
    def run(self) -> Path:
        """Return the folder of the agents' sockets."""
        return self.lab / "run"

    def device(self, name: str) -> Path:
        """Return the folder of a device."""
        return self.lab / "devices" / name


class LabDevice:
    """A device: a network namespace and a folder."""

    def __init__(self, topology: Topology, device: Device, folders: Folders) -> None:
        self.topology = topology
        self.device = device
        self.folders = folders
        self.name = device.name
        self.namespace = topology.namespace(device.name)
        self.folder = folders.device(device.name)

    def start(self) -> None:
        """Start what runs on the device; what runs already is left alone."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, argv: Sequence[str], *, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a program on the device and return its exit code and output."""
        try:
            return subprocess.run(
                process.inside(self.namespace, argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
                env=os.environ | self._environment(),
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.namespace}: {' '.join(argv)} did not end within {seconds:g} s") from error

    def become(self, argv: Sequence[str]) -> NoReturn:
        """Turn this process into a program on the device, terminal and all."""
        command = process.inside(self.namespace, argv)
        os.execvpe(command[0], command, os.environ | self._environment())  # noqa: S606 - no shell is the point

    def _environment(self) -> Mapping[str, str]:
        """Let plain ``vtysh`` be the device's own."""
        return {"PATH": f"{self.folder}:{os.environ.get('PATH', os.defpath)}"}


class Client(LabDevice):
    """Somebody who uses the Services."""

    def start(self) -> None:
        """Put ``fetch`` into the path of the device: not every machine has curl."""
        super().start()
        program = self.folder / "fetch"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m frrsync.lab.fetch "$@"\n', "utf-8")
        program.chmod(0o755)

    def fetch(self, url: str, count: int = 1, *, timeout: float = 1.0) -> list[Answer]:
        """Ask an URL, over a new connection each time."""
        command = [sys.executable, "-m", "frrsync.lab.fetch", url, "-n", str(count)]
        done = self.run([*command, "--timeout", str(timeout), "--output", "json"], seconds=30 + count * timeout)
        if done.returncode not in (0, 1) or done.stderr:
            raise LabError(f"{self.namespace}: requests to {url} could not be made: {done.stderr.strip()}")
        return [Answer(**json.loads(line)) for line in done.stdout.splitlines()]


class FrrDevice(LabDevice):
    """A device that runs FRR."""

    def __init__(self, topology: Topology, device: Device, folders: Folders, installation: FrrInstallation) -> None:
        super().__init__(topology, device, folders)
        self.frr = FrrInstance(
            installation,
            namespace=self.namespace,
            folder=self.folder,
            daemons=(*DAEMONS, *device.daemons),
            options=ROUTER_OPTIONS if device.kind == "router" else NODE_OPTIONS,
        )

    def first_config(self) -> str:
        """Return what FRR starts with when the device starts for the first time."""
        raise NotImplementedError

    def start(self) -> None:
        """Start FRR with the configuration that is there, the first time with the lab's."""
        super().start()
        self.frr.prepare()
        if not self.frr.conf.exists():
            self.frr.conf.write_text(self.first_config(), "utf-8")
        self.frr.start()

    def kill(self) -> None:
        """End everything on the device at once (SIGKILL), as a power cut does; the cables stay in."""
        process.end_members([self.namespace])

    def revive(self) -> None:
        """Start the device again after a kill."""
        self.start()


class Router(FrrDevice):
    """A router of the data centre, run by its network team."""

    def first_config(self) -> str:
        """Return the sessions with every node and router that is linked."""
        return router_config(self.topology, self.device)


class Node(FrrDevice):
    """A node of the cluster: FRR, an agent beside it, and a backend for every Service."""

    def __init__(
        self,
        topology: Topology,
        device: Device,
        folders: Folders,
        installation: FrrInstallation,
        programs: Programs,
    ) -> None:
        super().__init__(topology, device, folders, installation)
        self.programs = programs
        self.agent_log = self.frr.log_dir / "agent.log"
        self.agent_socket = folders.run / f"agent-{device.name}.sock"
        self._agent_record = self.folder / "agent.process"
        self._backend_record = self.folder / "backend.process"

    def first_config(self) -> str:
        """Return what stands before the agent has said anything."""
        return node_config(self.device)

    @property
    def agent_pid(self) -> int | None:
        """Return the process number of the agent while it runs."""
        return process.recorded(self._agent_record)

    @property
    def backend_pid(self) -> int | None:
        """Return the process number of the backend while it runs."""
        return process.recorded(self._backend_record)

    def start(self) -> None:
        """Start FRR, the backend with its data path, and the agent if the topology wants one."""
        super().start()
        self.start_backend()
        if self.device.agent:
            self.start_agent()

    def start_backend(self) -> None:
        """Start the HTTP server and wait until it listens; the way to it is laid once."""
        if self.run(["nft", "list", "table", "inet", "frrsync_lab"]).returncode != 0:
            datapath.install(self.topology, self.device)
        if self.backend_pid is None:
            output = self.folder / "backend.log"
            output.unlink(missing_ok=True)
            command = [sys.executable, "-m", "frrsync.lab.backend", "--name", self.name]
            process.start_recorded(process.inside(self.namespace, command), record=self._backend_record, output=output)
            what = f"backend of {self.namespace} (log: {output})"
            process.wait_until(lambda: "listens" in output.read_text("utf-8"), what=what)

    def start_agent(self) -> None:
        """Start the agent; it needs no FRR to start."""
        if self.agent_pid is None:
            command = process.inside(self.namespace, self.agent_command())
            process.start_recorded(command, record=self._agent_record, output=self.agent_log)

    def stop_agent(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """End the agent, politely unless told otherwise."""
        pid = self.agent_pid
        if pid is not None:
            process.end(pid, signum, seconds=15)

    def wait_agent(self, *, seconds: float = 30.0) -> None:
        """Return when the agent answers at its socket."""
        what = f"agent of {self.name} at {self.agent_socket} (log: {self.agent_log})"
        process.wait_until(lambda: _answers(self.agent_socket), what=what, seconds=seconds)

    def agent_command(self) -> list[str]:
        """Return the command line of the agent."""
        options = {
            "manifests": self.folders.manifests,
            "node": self.name,
            "state-dir": self.folders.state,
            "run-dir": self.folders.run,
            "vty-dir": self.frr.run_dir,
            "vtysh": self.frr.vtysh_path,
            "frr-conf": self.frr.conf,
        }
        command = list(self.programs.agent)
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        for setting, text in self.device.settings:
            name = setting.replace("_", "-")
            command += {"true": [f"--{name}"], "false": [f"--no-{name}"]}.get(text, [f"--{name}", text])
        return command


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(str(path))
        except OSError:
            return False
    return True
