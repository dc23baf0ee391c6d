"""One running FRR: real daemons of an installation, in one network namespace, with folders of their own.

Every daemon gets a private mount namespace in which ``<folder>/run``, ``etc`` and ``log`` lie over
FRR's compiled-in folders. So any number of FRRs run from one installation without path options,
exactly as they would on a machine of their own, and their sockets are reachable from outside at
``<folder>/run/bgpd.vty``.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frrsync.errors import LabError
from frrsync.lab import process

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.lab.rootfs import FrrInstallation

START_ORDER = ("mgmtd", "zebra", "bgpd", "bfdd", "staticd")
DAEMONS = ("zebra", "bgpd", "bfdd")

# Debian's own receive buffer of zebra, large enough for a full table in one go.
ROUTER_OPTIONS: dict[str, tuple[str, ...]] = {"zebra": ("-s", "90000000")}
# On a node: leave the routes of another FRR alone, when starting (-K, the seconds until zebra deletes
# what it did not install; there is no "never", and -k of older documentation is refused by 8.4 and
# 10.3) and when stopping (-r); and let nobody in (-p 0).
NODE_OPTIONS: dict[str, tuple[str, ...]] = {
    "zebra": ("-s", "90000000", "-r", "-K", "1000000000"),
    "bgpd": ("-p", "0"),
}

_MOUNT = """set -e
mount --bind {run} {root}/run/frr
mount --bind {etc} {root}/etc/frr
mount --bind {log} {root}/var/log/frr
{proc}
urgent=
chrt --rr 1 true 2>/dev/null && urgent="chrt --rr 1"
"""


class FrrInstance:
    """FRR of one device."""

    def __init__(
        self,
        installation: FrrInstallation,
        *,
        namespace: str,
        folder: Path,
        daemons: Iterable[str] = DAEMONS,
        options: Mapping[str, tuple[str, ...]] = NODE_OPTIONS,
    ) -> None:
        self.installation = installation
        self.namespace = namespace
        self.folder = folder.absolute()
        self.options = dict(options)
        self._wanted = frozenset(daemons)

    @property
    def daemons(self) -> tuple[str, ...]:
        """Return the daemons in the order of their start; mgmtd is one of them where FRR has it."""
        has_mgmtd = self.installation.outside(self.installation.daemons / "mgmtd").exists()
        wanted = self._wanted | ({"mgmtd"} if has_mgmtd else set())
        return tuple(name for name in START_ORDER if name in wanted)

    @property
    def run_dir(self) -> Path:
        """Return the folder of the vty sockets."""
        return self.folder / "run"

    @property
    def conf(self) -> Path:
        """Return the configuration that FRR loads when it starts."""
        return self.folder / "etc/frr.conf"

    @property
    def log_dir(self) -> Path:
        """Return the folder of the logs."""
        return self.folder / "log"

    @property
    def vtysh_path(self) -> Path:
        """Return a vtysh for this FRR that works from anywhere on the host."""
        return self.folder / "vtysh"

    def prepare(self) -> None:
        """Make the folders and the vtysh wrapper; FRR's own start does the same on a machine."""
        user, group = self._owner()
        for folder in (self.run_dir, self.conf.parent, self.log_dir):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
            os.chown(folder, user, group)
        longest = self.run_dir / "mgmtd_be.sock"
        if len(str(longest)) > 107:  # sun_path, unix(7)
            raise LabError(f"the folder {self.folder} is too long for unix sockets: {longest} exceeds 107 characters")
        # nopassword: vtysh would otherwise ask the host's PAM, which knows no service called frr
        (self.conf.parent / "vtysh.conf").write_text(
            "service integrated-vtysh-config\nusername root nopassword\n", "ascii"
        )
        self.vtysh_path.write_text(self._vtysh_wrapper(), "utf-8")
        self.vtysh_path.chmod(0o755)

    def start(self, only: Iterable[str] | None = None, *, load: bool = True) -> None:
        """Start daemons that do not run, then load ``etc/frr.conf`` into them if it exists.

        ``load=False`` leaves them empty, as after a crash without a supervisor that loads the file.
        """
        self.prepare()
        chosen = self._chosen(only)
        missing = [name for name in chosen if self.pid(name) is None]
        if not missing:
            return
        self._launch(missing)
        self.wait_ready(only=missing)
        if load and self.conf.exists():
            # a daemon that comes back alone loads its part alone, as FRR's own start script does
            parts = [["-b"]] if missing == list(self.daemons) else [["-b", "-d", name] for name in missing]
            for part in parts:
                self._run_vtysh(part)

    def stop(self) -> None:
        """End all daemons politely; what does not listen is killed."""
        for name in reversed(self.daemons):
            self.kill(name, signal.SIGTERM)

    def kill(self, daemon: str, signum: signal.Signals = signal.SIGKILL) -> None:
        """Signal a daemon and wait for its end; nothing happens when it does not run."""
        pid = self.pid(daemon)
        if pid is not None:
            process.end(pid, signum)

    def restart(self, daemon: str, *, load: bool = True) -> None:
        """Kill one daemon and start it again."""
        self.kill(daemon)
        self.start((daemon,), load=load)

    def pid(self, daemon: str) -> int | None:
        """Return the process number of a running daemon, proven by its name and its namespace."""
        try:
            pid = int((self.run_dir / f"{daemon}.pid").read_text("ascii"))
            command = (process.PROC / str(pid) / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        is_ours = Path(command.split(b"\0")[0].decode()).name == daemon and process.is_inside(pid, self.namespace)
        return pid if is_ours and process.is_alive(pid) else None

    def pids(self) -> dict[str, int | None]:
        """Return the process number of every daemon, None for one that does not run."""
        return {name: self.pid(name) for name in self.daemons}

    def vtysh(self, *commands: str, seconds: float = 60.0) -> str:
        """Run commands through vtysh and return what FRR printed."""
        arguments = [part for command in commands for part in ("-c", command)]
        return self._run_vtysh(arguments, seconds=seconds)

    def json(self, command: str) -> Any:
        """Run a show command that prints JSON and return the document."""
        text = self.vtysh(command)
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise LabError(f"{self.namespace}: {command!r} printed no JSON: {text[:200]!r}") from error

    def wait_ready(self, *, only: Iterable[str] | None = None, seconds: float = 20.0) -> None:
        """Return when every daemon accepts connections at its vty socket."""
        for name in self._chosen(only):
            what = f"{name} of {self.namespace} at its vty socket (log: {self.log_dir})"
            process.wait_until(partial(_accepts, self.run_dir / f"{name}.vty"), what=what, seconds=seconds)

    def _chosen(self, only: Iterable[str] | None) -> list[str]:
        wanted = set(self.daemons if only is None else only)
        if unknown := wanted - set(self.daemons):
            raise LabError(
                f"{self.namespace} has no daemon {', '.join(sorted(unknown))}: allowed {', '.join(self.daemons)}"
            )
        return [name for name in self.daemons if name in wanted]

    def _launch(self, daemons: Iterable[str]) -> None:
        """Start daemons one after the other; each returns when it has gone to the background."""
        script = "\n".join([self._mounts(), *(self._daemon_command(name) for name in daemons)])
        command = process.inside(self.namespace, ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script])
        output = self.log_dir / "start.out"
        with output.open("wb") as stream:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False, timeout=60
            )
        if done.returncode != 0:
            said = output.read_text("utf-8", "replace").splitlines()
            reason = next((line for line in said if "no kernel support" not in line), "no reason")
            version = self.installation.version
            raise LabError(f"FRR {version} of {self.namespace} did not start: {reason} (all of it in {output})")

    def _mounts(self) -> str:
        root = self.installation.root
        return _MOUNT.format(
            run=shlex.quote(str(self.run_dir)),
            etc=shlex.quote(str(self.conf.parent)),
            log=shlex.quote(str(self.log_dir)),
            root="" if root is None else shlex.quote(str(root)),
            proc="" if root is None else f"mount -t proc proc {shlex.quote(str(root))}/proc",
        )

    def _daemon_command(self, name: str) -> str:
        root = self.installation.root
        command = [] if root is None else ["chroot", str(root)]
        command += [str(self.installation.daemons / name), "-d", "-F", "traditional", "-P", "0"]
        command += ["--log", f"file:/var/log/frr/{name}.log", "--log-level", "informational"]
        line = shlex.join([*command, *self.options.get(name, ())])
        # Every device stands for a machine with processors of its own. On one busy host a bfdd that has
        # to queue for a third of a second would tear sessions down (seen at a load of 6 on two cores).
        return f"$urgent {line}" if name == "bfdd" else line

    def _owner(self) -> tuple[int, int]:
        """Return user and group of FRR as its own system numbers them."""
        passwd = self.installation.outside(Path("/etc/passwd"))
        for line in passwd.read_text("utf-8").splitlines():
            fields = line.split(":")
            if fields[0] == "frr":
                return int(fields[2]), int(fields[3])
        raise LabError(f"no FRR in {self.installation.root or 'the host'}: {passwd} has no user frr")

    def _vtysh_wrapper(self) -> str:
        """Return a script that runs the installation's vtysh with its own libraries, without a chroot.

        So it needs no rights but those on the sockets, and reads files where its caller sees them.
        """
        program = [str(self.installation.outside(self.installation.vtysh))]
        if self.installation.root is not None:
            program = [*_loader(self.installation.root), *program]
        command = [*program, "--vty_socket", str(self.run_dir), "--config_dir", str(self.conf.parent)]
        history = shlex.quote(str(self.folder))  # vtysh makes ~/.history_frr even when nobody types
        return f'#!/bin/sh\nHOME={history} exec {shlex.join(command)} "$@"\n'

    def _run_vtysh(self, arguments: list[str], *, seconds: float = 60.0) -> str:
        try:
            done = subprocess.run(
                [str(self.vtysh_path), *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(
                f"{self.namespace}: vtysh {shlex.join(arguments)} gave no answer in {seconds:g} s"
            ) from error
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-500:]
            raise LabError(f"{self.namespace}: vtysh {shlex.join(arguments)} ended with {done.returncode}: {said}")
        return done.stdout


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(str(path))
        except OSError:
            return False
    return True


def _loader(root: Path) -> list[str]:
    """Return the dynamic loader of a root folder with its library path, for a program run from outside."""
    # not the one in lib64: Debian 12 makes that an absolute link, which from here is the host's loader
    loaders = sorted(root.glob("usr/lib/*/ld-linux*.so*"))
    libraries = sorted(root.glob("usr/lib/*/frr/libfrr.so.0"))
    if not loaders or not libraries:
        raise LabError(f"no FRR of Debian in {root}: found loaders {loaders}, libraries {libraries}")
    folder = libraries[0].parent
    return [str(loaders[0]), "--library-path", f"{folder.parent}:{folder}"]
