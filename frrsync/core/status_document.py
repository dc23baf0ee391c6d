"""The one document that everybody gets to see of an agent, and what of it deserves attention.

The member names of the document are a contract (``docs/commands.md``): members are added, never renamed
or removed. What is not known is ``null``, never zero and never an empty text. Times are RFC 3339 in UTC,
and nothing in the document depends on the moment in which it is built.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from frrsync.core.redact import redact
from frrsync.core.status import ESTABLISHED, ApplyResult, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.core.announce import Verdict
    from frrsync.core.model import Mistake
    from frrsync.core.status import (
        AgentStatus,
        ConfigDiff,
        Document,
        DrainState,
        HeldWithdrawal,
        LastApply,
        PendingService,
    )

_ENDED = {ApplyResult.FAILED: "failed", ApplyResult.ROLLED_BACK: "was rolled back"}


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
        "paused_until": _timestamp(status.paused_until),
        "held": _held(status.held) if status.held else None,
        "drain": _drain(status.drain) if status.drain else None,
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
    yield from _orders(status)
    for session in status.sessions:
        subject = f"session to {session.peer}" + (f" ({session.name})" if session.name else "")
        if session.state != ESTABLISHED:
            last = f", last reset: {session.last_reset}" if session.last_reset else ""
            # FRR 10.2 to 10.3.0 never dials while BFD is down, so it may well be the cause
            bfd = f", BFD is {session.bfd}" if session.bfd is not None and session.bfd.lower() != "up" else ""
            yield ProblemCode.SESSION_DOWN, f"{subject} is {session.state or 'unknown to FRR'}{last}{bfd}"
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
    if status.unwritten:
        yield ProblemCode.FILE_NOT_WRITTEN, status.unwritten


def _orders(status: AgentStatus) -> Iterator[tuple[ProblemCode, str]]:
    """Yield what waits for a person."""
    if status.paused_until is not None:
        last = status.last_apply
        lines = last.commands if last is not None and last.result is ApplyResult.OBSERVED else 0
        text = (
            f"{lines} {'line waits' if lines == 1 else 'lines wait'}, see frrsync config diff"
            if lines
            else "nothing waits"
        )
        yield ProblemCode.PAUSED, f"nothing is sent to FRR until {_timestamp(status.paused_until)}; {text}"
    if status.held is not None:
        held = status.held
        named = ", ".join(held.named) + (" ..." if held.objects > len(held.named) else "")
        cause = f"{held.objects} objects vanished ({named})" if held.objects else "objects were missing at the start"
        stays = "they stay" if held.objects else "nothing is sent to FRR"
        text = f"{held.prefixes} of {held.announced} prefixes would go because {cause}; {stays} until "
        text += f"{_timestamp(held.until)} or until the objects are back; frrsync confirm lets them go now"
        yield ProblemCode.WITHDRAWAL_HELD, text


def _drain(drain: DrainState) -> Document:
    return {
        **asdict(drain),
        "stage": str(drain.stage),
        "asked_by": [str(source) for source in drain.asked_by],
        "since": _timestamp(drain.since),
        "lowered_at": _timestamp(drain.lowered_at),
        "withdrawn_at": _timestamp(drain.withdrawn_at),
    }


def _held(held: HeldWithdrawal) -> Document:
    return {
        **asdict(held),
        "named": list(held.named),
        "since": _timestamp(held.since),
        "until": _timestamp(held.until),
    }


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


def diff_document(node: str, diff: ConfigDiff) -> Document:
    """Return the document of ``frrsync config diff``, without passwords."""
    return {
        "api_version": "v1",
        "node": node,
        "equal": not diff,
        "missing": [[redact(line) for line in path] for path in diff.missing],
        "unexpected": [[redact(line) for line in path] for path in diff.unexpected],
    }
