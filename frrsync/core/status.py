"""What an agent knows about itself, and the one document that everybody gets to see of it.

The member names of the document are a contract (``docs/commands.md``): members are added, never renamed
or removed. What is not known is ``null``, never zero and never an empty text. Times are RFC 3339 in UTC,
and nothing in the document depends on the moment in which it is built.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from frrsync.core.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.core.announce import Verdict
    from frrsync.core.model import Mistake, NamespacedName

Document = dict[str, Any]

ESTABLISHED = "Established"
"""FRR's word (``bgpState``) for a session that is up."""


class ProblemCode(StrEnum):
    """What can be wrong with a node; the document's ``problems[].code``."""

    STARTING = "starting"
    BLOCKED = "blocked"
    FRR_UNREACHABLE = "frrUnreachable"
    APPLY_FAILED = "applyFailed"
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
        services: every verdict; Services of another type are left out of the document.
        ignored_kinds: kinds found among the manifests that are none of ours.

    """

    node: str
    version: str
    started_at: float
    observe: bool = False
    blocked: str = ""
    frr: FrrState = FrrState()
    last_apply: LastApply | None = None
    sessions: tuple[SessionState, ...] = ()
    services: tuple[Verdict, ...] = ()
    pending: tuple[PendingService, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    ignored_kinds: tuple[str, ...] = ()


def document(status: AgentStatus) -> Document:
    """Return the document of ``frrsync status``: plain values, ready for JSON or YAML."""
    found = [{"code": str(code), "message": redact(message)} for code, message in problems(status)]
    services = [_service(verdict) for verdict in status.services if verdict.reason != "notLoadBalancer"]
    return {
        "api_version": "v1",
        "node": status.node,
        "version": status.version,
        "started_at": _timestamp(status.started_at),
        "observe": status.observe,
        "ok": not found,
        "problems": found,
        "frr": {**asdict(status.frr), "error": _redacted(status.frr.error)},
        "last_apply": _last_apply(status.last_apply) if status.last_apply else None,
        "sessions": [{**asdict(session), "since": _timestamp(session.since)} for session in status.sessions],
        "services": services,
        "pending": [_pending(pending) for pending in status.pending],
        "mistakes": [mistake_document(mistake) for mistake in status.mistakes],
        "ignored_kinds": list(status.ignored_kinds),
        "counts": _counts(status, services),
    }


def mistake_document(mistake: Mistake) -> Document:
    """Return the document of one mistake, as ``frrsync check`` and the status give it."""
    return {**asdict(mistake), "message": redact(mistake.message)}


def problems(status: AgentStatus) -> Iterator[tuple[ProblemCode, str]]:
    """Yield what somebody should look at, the most urgent first; nothing when all is well.

    A Service that this node does not announce is no problem by itself: another node may have its
    endpoints. One that waits for an address is.
    """
    yield from _frr_problems(status)
    for session in status.sessions:
        subject = f"session to {session.peer}" + (f" ({session.name})" if session.name else "")
        if session.state != ESTABLISHED:
            last = f", last reset: {session.last_reset}" if session.last_reset else ""
            yield ProblemCode.SESSION_DOWN, f"{subject} is {session.state or 'unknown to FRR'}{last}"
        elif session.bfd is not None and session.bfd.lower() != "up":
            yield ProblemCode.BFD_DOWN, f"{subject} is up, but its BFD session is {session.bfd}"
    unheard = sum(verdict.announced or verdict.reason == "noPeer" for verdict in status.services)
    if unheard and not status.sessions:
        yield ProblemCode.NO_PEER, f"{unheard} Services to announce, but no BGPPeer selects node {status.node}"
    for pending in status.pending:
        yield ProblemCode.NO_ADDRESS, f"Service {pending.service} has no address: {pending.message}"
    for file, count in sorted(Counter(mistake.file for mistake in status.mistakes).items()):
        yield ProblemCode.MISTAKES, f"{count} {'mistake' if count == 1 else 'mistakes'} in {file}"


def _frr_problems(status: AgentStatus) -> Iterator[tuple[ProblemCode, str]]:
    last = status.last_apply
    if status.frr.reachable is False:
        yield ProblemCode.FRR_UNREACHABLE, status.frr.error or "FRR does not answer"
    if status.blocked and status.blocked != status.frr.error:
        yield ProblemCode.BLOCKED, f"the last good configuration stays: {status.blocked}"
    elif last is None and status.frr.reachable is not False:
        yield ProblemCode.STARTING, "nothing has been applied since the agent started"
    if last is not None and last.result in {ApplyResult.FAILED, ApplyResult.ROLLED_BACK}:
        yield (
            ProblemCode.APPLY_FAILED,
            f"the last apply {_ENDED[last.result]}: {last.error or 'no reason known'}",
        )


_ENDED = {ApplyResult.FAILED: "failed", ApplyResult.ROLLED_BACK: "was rolled back"}


def _last_apply(last: LastApply) -> Document:
    resets = [{**asdict(reset), "reason": redact(reset.reason)} for reset in last.resets]
    return {
        **asdict(last),
        "at": _timestamp(last.at),
        "result": str(last.result),
        "resets": resets,
        "error": _redacted(last.error),
    }


def _service(verdict: Verdict) -> Document:
    return {
        "namespace": verdict.service.namespace,
        "name": verdict.service.name,
        "addresses": list(verdict.addresses),
        "announced": verdict.announced,
        "reason": None if verdict.reason is None else str(verdict.reason),
        "detail": verdict.detail,
        "prefixes": list(verdict.prefixes),
    }


def _pending(pending: PendingService) -> Document:
    name = pending.service
    return {
        "namespace": name.namespace,
        "name": name.name,
        "reason": str(pending.reason),
        "message": pending.message,
    }


def _counts(status: AgentStatus, services: list[Document]) -> Document:
    announced = [service for service in services if service["announced"]]
    return {
        "sessions": len(status.sessions),
        "sessions_established": sum(session.state == ESTABLISHED for session in status.sessions),
        "services": len(services),
        "services_announced": len(announced),
        "prefixes": len({prefix for service in announced for prefix in service["prefixes"]}),
    }


def _redacted(text: str | None) -> str | None:
    return None if text is None else redact(text)


def _timestamp(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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


def diff_document(node: str, diff: ConfigDiff) -> Document:
    """Return the document of ``frrsync config diff``, without passwords."""
    return {
        "api_version": "v1",
        "node": node,
        "equal": not diff,
        "missing": [[redact(line) for line in path] for path in diff.missing],
        "unexpected": [[redact(line) for line in path] for path in diff.unexpected],
    }
