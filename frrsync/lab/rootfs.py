"""FRR in a folder: Debian's package of a known version, installed by debootstrap into a cache.

On the host the package would start daemons; in a folder of its own nothing is started, and two
versions live side by side.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from frrsync import log
from frrsync.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

FrrVersion = Literal["8.4", "10.3"]
VERSIONS: tuple[FrrVersion, ...] = get_args(FrrVersion)
SUITES: dict[FrrVersion, str] = {"8.4": "bookworm", "10.3": "trixie"}
DEFAULT_MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("frr", "frr-pythontools", "iproute2")

# Run in a mount namespace of its own: debootstrap mounts /proc in the folder, and when it is killed
# that mount must vanish with it instead of waiting on the host for somebody who removes the folder.
# Debian 13's debootstrap cannot resolve FRR's dependencies by --include, hence the second step.
_BUILD = """set -e
debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$TARGET" "$MIRROR"
printf '#!/bin/sh\\nexit 101\\n' >"$TARGET/usr/sbin/policy-rc.d"
chmod 755 "$TARGET/usr/sbin/policy-rc.d"
[ -e "$TARGET/proc/self" ] || mount -t proc proc "$TARGET/proc"
chroot "$TARGET" apt-get install --yes --no-install-recommends $PACKAGES
chroot "$TARGET" apt-get clean
mkdir -p "$TARGET/run/frr" "$TARGET/etc/frr" "$TARGET/var/log/frr"
mv "$TARGET" "$COMPLETE"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrrInstallation:
    """An FRR to run.

    Attributes:
        root: the folder it is installed in, None for the host's own.
        daemons: folder of the daemons, as seen from the root.
        vtysh: vtysh, as seen from the root.
        version: for people to read, such as ``10.3``.

    """

    root: Path | None = None
    daemons: Path = Path("/usr/lib/frr")
    vtysh: Path = Path("/usr/bin/vtysh")
    version: str = "of the host"

    def outside(self, path: Path) -> Path:
        """Return where a path of the installation is, seen from the host."""
        return path if self.root is None else self.root / path.relative_to("/")


def installation(version: FrrVersion) -> FrrInstallation:
    """Return Debian's FRR of a version, built on first use."""
    return FrrInstallation(root=rootfs(version), version=version)


def cache_folder() -> Path:
    """Return the folder for what is quicker kept than made again, outside of any checkout."""
    if named := os.environ.get("FRRSYNC_CACHE"):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "frrsync"


def rootfs(version: FrrVersion) -> Path:
    """Return the root folder with FRR of this version; the first call takes a minute and the network."""
    if version not in SUITES:
        raise LabError(f"FRR {version!r} cannot be fetched: allowed are {', '.join(VERSIONS)}")
    cache = cache_folder()
    target = cache / f"frr-{version}"
    if target.is_dir():
        return target
    if os.geteuid() != 0:
        raise LabError(f"building the FRR folder {target} needs root, found user id {os.geteuid()}")
    if shutil.which("debootstrap") is None:
        raise LabError("debootstrap is missing: apt-get install debootstrap")
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"frr-{version}.lock") as lock:
        if not target.is_dir():
            _build(version, target, lock)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold a lock until this process and all that inherit the descriptor have ended."""
    with path.open("w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def _build(version: FrrVersion, target: Path, lock: int) -> None:
    """Build beside the target and rename when complete, so that a half is never taken for a whole.

    The build holds the lock as well: when only this program is killed, it goes on to its end, and
    whoever comes next waits for that instead of building into the same folder.
    """
    logger = log.get("lab.rootfs")
    partial = target.with_name(target.name + ".partial")
    output = target.with_name(target.name + ".log")
    if partial.exists():
        logger.info("rootfs_half_removed", folder=str(partial))
        shutil.rmtree(partial)
    mirror = _mirror()
    logger.info("rootfs_build_started", frr=version, suite=SUITES[version], mirror=mirror, output=str(output))
    environment = os.environ | _proxy()
    environment |= {
        "SUITE": SUITES[version],
        "TARGET": str(partial),
        "COMPLETE": str(target),
        "MIRROR": mirror,
        "PACKAGES": " ".join(PACKAGES),
        "DEBIAN_FRONTEND": "noninteractive",
        "LC_ALL": "C",
    }
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _BUILD)
    with output.open("wb") as stream:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=environment,
            check=False,
            pass_fds=[lock],
        )
    if done.returncode != 0:
        tail = "\n".join(output.read_text("utf-8", "replace").splitlines()[-5:])
        raise LabError(
            f"FRR {version} could not be built: exit code {done.returncode}, see {output}, which ends\n{tail}"
        )
    logger.info("rootfs_built", frr=version, folder=str(target))


def _mirror() -> str:
    """Return the mirror of Debian that the host's apt uses, so that local mirrors and policies hold."""
    fields = "$(LABEL) $(REPO_URI)"
    for line in _output_of("apt-get", "indextargets", "--format", fields, "Created-By: Packages").splitlines():
        label, _, address = line.partition(" ")
        if label == "Debian" and address.startswith(("http://", "https://")):
            return address.rstrip("/")
    return DEFAULT_MIRROR


def _proxy() -> dict[str, str]:
    """Return the proxy of the host's apt as the variables that debootstrap's downloader and apt read."""
    found = {}
    for scheme in ("http", "https"):
        value = _output_of("apt-config", "shell", "PROXY", f"Acquire::{scheme}::Proxy")
        address = value.strip().removeprefix("PROXY=").strip("'")
        if address.startswith("http"):
            found[f"{scheme}_proxy"] = address
    return found


def _output_of(*command: str) -> str:
    """Return what a command says; nothing on a system without apt, where the defaults hold."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout if done.returncode == 0 else ""
