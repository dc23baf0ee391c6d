"""Every setting, once: file key, option, environment variable, default and help come from this table.

A field ``state_dir`` is the option ``--state-dir``, the environment variable ``FRRSYNC_STATE_DIR`` and
the key ``state-dir`` of the settings file (TOML, ``--settings FILE``). What is given later in this list
wins: default, settings file, environment, option.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ApplyWith = Literal["sockets", "vtysh"]
OnStop = Literal["keep", "withdraw", "graceful"]
FrrMode = Literal["owned", "shared"]


def _state_home() -> Path:
    """Return the folder for what must outlive a restart: of the system for root, else of the user."""
    if os.geteuid() == 0:
        return Path("/var/lib/frrsync")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "frrsync"


def _run_home() -> Path:
    """Return the folder for the agents' sockets: of the system for root, else of the user."""
    if os.geteuid() == 0:
        return Path("/run/frrsync")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/frrsync-{os.geteuid()}") / "frrsync"  # noqa: S108 - where users have no run folder


def _help(text: str, **more: object) -> dict[str, object]:
    return {"help": text, **more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one program; paths are absolute, times in seconds."""

    manifests: Path | None = field(default=None, metadata=_help("Folder of manifests to read and watch."))
    node: str = field(default="", metadata=_help("Name of this node, as in the manifests."))
    config_namespace: str = field(
        default="metallb-system",
        metadata=_help("Namespace of the metallb.io resources; a manifest without a namespace counts as in it."),
    )
    load_balancer_class: str = field(
        default="",
        metadata=_help("Handle Services of this spec.loadBalancerClass only; empty: Services without a class."),
    )
    ignore_exclude_label: bool = field(
        default=False,
        metadata=_help("Announce from nodes labelled node.kubernetes.io/exclude-from-external-load-balancers too."),
    )
    state_dir: Path = field(
        default_factory=_state_home,
        metadata=_help("Folder of the allocation record; never inside the folder of manifests."),
    )
    run_dir: Path = field(default_factory=_run_home, metadata=_help("Folder of the agents' sockets."))
    vty_dir: Path = field(default=Path("/run/frr"), metadata=_help("Folder of FRR's vty sockets."))
    frr_namespace: str = field(default="", metadata=_help("FRR's name space: what its daemons got as -N."))
    vtysh: Path = field(default=Path("/usr/bin/vtysh"), metadata=_help("The vtysh that belongs to this FRR."))
    apply_with: ApplyWith = field(
        default="sockets",
        metadata=_help("Send changes through FRR's vty sockets (fast) or through vtysh.", choices=("sockets", "vtysh")),
    )
    frr_conf: Path | None = field(
        default=None,
        metadata=_help("Write the rendered configuration to this file as well, for FRR's own start."),
    )
    templates: Path | None = field(
        default=None, metadata=_help("Folder of templates of your own that replace ours by name.")
    )
    maximum_paths: int = field(
        default=16,
        metadata=_help("Equal paths that this FRR itself may use per route.", minimum=1, maximum=256),
    )
    check_interval: float = field(
        default=60.0,
        metadata=_help("Compare with what FRR runs at least every so many seconds.", minimum=1, maximum=3600),
    )
    observe: bool = field(default=False, metadata=_help("Decide, render and compare, but send nothing to FRR."))
    on_stop: OnStop = field(
        default="keep",
        metadata=_help(
            "At a clean stop keep every announcement, withdraw all, or withdraw all after a graceful drain.",
            choices=("keep", "withdraw", "graceful"),
        ),
    )
    drain_time: float = field(
        default=10.0,
        metadata=_help(
            "For how many seconds a drain announces everything as the last choice before it withdraws.",
            minimum=0,
            maximum=3600,
        ),
    )
    frr_mode: FrrMode = field(
        default="owned",
        metadata=_help(
            "Own the BGP configuration of this FRR, or share an FRR that an operator runs.",
            choices=("owned", "shared"),
        ),
    )
    allow_neighbor: str = field(
        default="",
        metadata=_help("Neighbors of a shared FRR, separated by commas, that may see our prefixes unfiltered."),
    )
    guard_percent: int = field(
        default=50,
        metadata=_help(
            "Hold back vanished objects that would take more than this share of the prefixes; 100: never hold.",
            minimum=1,
            maximum=100,
        ),
    )
    guard_minimum: int = field(
        default=10,
        metadata=_help("Do so only on nodes that announce at least this many prefixes.", minimum=1, maximum=100_000),
    )
    guard_time: float = field(
        default=300.0,
        metadata=_help(
            "Let go what is held back after so many seconds, if it is still wanted.", minimum=0, maximum=86400
        ),
    )
    log_level: str = field(
        default="info",
        metadata=_help("Least important event that is logged.", choices=("debug", "info", "warning", "error")),
    )

    @property
    def agent_socket(self) -> Path:
        """Return the unix socket of this node's agent."""
        return self.run_dir / f"agent-{self.node}.sock"


class SettingHelp(NamedTuple):
    """One row of the table, for the command line and the documentation."""

    name: str
    option: str
    variable: str
    help: str


def table() -> Iterator[SettingHelp]:
    """Yield every setting in the order of the class."""
    for item in fields(Settings):
        option = item.name.replace("_", "-")
        yield SettingHelp(item.name, f"--{option}", f"FRRSYNC_{item.name.upper()}", str(item.metadata["help"]))
