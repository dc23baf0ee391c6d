"""What an agent knows about itself; ``core.status_document`` makes of it what everybody gets to see."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frrsync.core.announce import Verdict
    from frrsync.core.model import Mistake, NamespacedName

Document = dict[str, Any]

ESTABLISHED = "Established"
"""FRR's word (``bgpState``) for a session that is up."""


class ProblemCode(StrEnum):
    """What can be wrong with a node; the document's ``problems[].code``."""

    STARTING = "starting"
    PAUSED = "paused"
    WITHDRAWAL_HELD = "withdrawalHeld"
    BLOCKED = "blocked"
    FRR_UNREACHABLE = "frrUnreachable"
    APPLY_FAILED = "applyFailed"
    FILE_NOT_WRITTEN = "fileNotWritten"
    SESSION_DOWN = "sessionDown"
    BFD_DOWN = "bfdDown"
    NO_PEER = "noPeer"
    NO_ADDRESS = "noAddress"
    MISTAKES = "mistakes"


class ApplyResult(StrEnum):
    """How an attempt to bring FRR to the wanted configuration ended."""

    UNCHANGED = "unchanged"
    APPLIED = "applied"
    OBSERVED = "observed"
    ROLLED_BACK = "rolledBack"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrrState:
    """The FRR beside the agent; ``reachable`` is None before the first attempt."""

    reachable: bool | None = None
    version: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldWithdrawal:
    """A mass withdrawal that is held back until it is confirmed; times are seconds since the epoch.

    Attributes:
        prefixes: how many would go, of those that are ``announced``.
        objects: how many objects vanished; 0 when an agent started without them.
        named: the first few of them, such as ``Service default/web``.
        until: when it is let go by itself.

    """

    prefixes: int
    announced: int
    objects: int
    named: tuple[str, ...]
    since: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainState:
    """How far the node is drained; times are seconds since the epoch.

    Attributes:
        stage: ``lowered`` (announced as the last choice) or ``withdrawn``.
        asked_by: ``order``, ``label``, ``annotation``, ``stop``.
        since: when the first of them was noticed.
        drain_time: seconds from ``lowered_at`` to the withdrawal.
        lowered_at: when FRR took the first stage; None before, or if there was none.
        withdrawn_at: when FRR was told to withdraw; None before.
        told: FRR has sent the withdrawals to every established session; None before ``withdrawn_at``.

    """

    stage: str
    asked_by: tuple[str, ...]
    since: float | None
    drain_time: float
    lowered_at: float | None = None
    withdrawn_at: float | None = None
    told: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReset:
    """A session that an apply had to reset, and the line that was the reason."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastApply:
    """The latest attempt to apply.

    Attributes:
        trigger: what woke the loop: ``manifests``, ``check``, ``frr restarted`` ...
        at: seconds since the epoch.
        commands: lines sent, or lines that would have been sent with ``--observe``.

    """

    trigger: str
    at: float
    duration_seconds: float
    commands: int
    result: ApplyResult
    resets: tuple[SessionReset, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """One session that should exist, and what FRR says about it; None is what FRR did not say.

    Attributes:
        peer: address or interface, as in the configuration.
        name: the BGPPeer.
        state: FRR's word (``Established``, ``Active`` ...).
        since: seconds since the epoch of the last time that the session came up.
        bfd: FRR's word for the BFD session (``up``, ``down`` ...), None without BFD.
        dropped: how often FRR lost the session since it started.
        last_reset: FRR's text for the last reason.

    """

    peer: str
    name: str = ""
    vrf: str = ""
    asn: int | None = None
    state: str | None = None
    since: float | None = None
    prefixes_sent: int | None = None
    bfd: str | None = None
    dropped: int | None = None
    last_reset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingService:
    """A Service that waits for an address, and why; ``reason`` is the allocator's word."""

    service: NamespacedName
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """Everything about one agent at one moment, immutable: the reconcile thread makes it, others read it.

    Attributes:
        started_at: seconds since the epoch.
        blocked: what keeps the agent from deciding or rendering; empty when nothing does.
        paused_until: seconds since the epoch until which nothing is sent; None when not paused.
        held: a mass withdrawal that waits for a confirmation; None when there is none.
        unwritten: why the file that FRR starts with is not what FRR runs; empty when it is.
        drain: None when the node is not drained.
        services: every verdict; Services of another type are left out of the document.
        ignored_kinds: kinds found among the manifests that are none of ours.

    """

    node: str
    version: str
    started_at: float
    observe: bool = False
    blocked: str = ""
    paused_until: float | None = None
    held: HeldWithdrawal | None = None
    unwritten: str = ""
    drain: DrainState | None = None
    frr: FrrState = FrrState()
    last_apply: LastApply | None = None
    sessions: tuple[SessionState, ...] = ()
    services: tuple[Verdict, ...] = ()
    pending: tuple[PendingService, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    ignored_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDiff:
    """How the running configuration differs from the desired one, as paths of lines.

    Attributes:
        missing: wanted, but not running; each path from the outermost context to the line.
        unexpected: running, but not wanted.

    """

    missing: tuple[tuple[str, ...], ...] = ()
    unexpected: tuple[tuple[str, ...], ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is a difference."""
        return bool(self.missing or self.unexpected)
