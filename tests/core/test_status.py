"""The status document: its member names are a contract, and it says what is wrong."""

from __future__ import annotations

import json

import pytest

from frrsync.core.announce import Reason, Route, Verdict
from frrsync.core.model import Mistake, NamespacedName
from frrsync.core.status import (
    AgentStatus,
    ApplyResult,
    ConfigDiff,
    FrrState,
    LastApply,
    PendingService,
    ProblemCode,
    SessionReset,
    SessionState,
)
from frrsync.core.status_document import diff_document, document

WEB = NamespacedName("default", "web")
UP = SessionState(peer="192.0.2.1", name="tor1", asn=64512, state="Established", since=1_700_000_000.0)
APPLIED = LastApply(
    trigger="manifests", at=1_700_000_100.5, duration_seconds=0.008, commands=12, result=ApplyResult.APPLIED
)
ANNOUNCED = Verdict(
    service=WEB, addresses=("198.51.100.1",), routes=(Route(prefix="198.51.100.1/32", advertisements=("all",)),)
)


def status_of(**changes: object) -> AgentStatus:
    """Return the status of a node where all is well, with some members replaced."""
    members: dict[str, object] = {
        "node": "n1",
        "version": "0.1.0",
        "started_at": 1_700_000_000.0,
        "frr": FrrState(reachable=True, version="10.3"),
        "last_apply": APPLIED,
        "sessions": (UP,),
        "services": (ANNOUNCED,),
    }
    return AgentStatus(**{**members, **changes})  # type: ignore[arg-type]


def test_the_member_names_are_the_promised_ones() -> None:
    """Programs of operators read these names; adding one is fine, and then this test grows."""
    full = status_of(
        last_apply=LastApply(
            trigger="check",
            at=1.0,
            duration_seconds=0.1,
            commands=1,
            result=ApplyResult.FAILED,
            resets=(SessionReset(peer="192.0.2.1", reason="password"),),
            error="refused",
        ),
        pending=(PendingService(service=WEB, reason="poolExhausted", message="no address left"),),
        mistakes=(Mistake(file="a.yaml", line=3, message="wrong"),),
    )
    found = document(full)
    members = {
        "": found,
        "frr": found["frr"],
        "last_apply": found["last_apply"],
        "resets": found["last_apply"]["resets"][0],
        "sessions": found["sessions"][0],
        "services": found["services"][0],
        "pending": found["pending"][0],
        "mistakes": found["mistakes"][0],
        "problems": found["problems"][0],
        "counts": found["counts"],
    }
    assert {name: " ".join(content) for name, content in members.items()} == {
        "": "api_version node version started_at observe paused_until held drain ok problems"
        " frr last_apply sessions services pending mistakes ignored_kinds counts",
        "frr": "reachable version error",
        "last_apply": "trigger at duration_seconds commands result resets error",
        "resets": "peer reason",
        "sessions": "peer name vrf asn state since prefixes_sent bfd dropped last_reset",
        "services": "namespace name addresses announced reason detail prefixes",
        "pending": "namespace name reason message",
        "mistakes": "file line kind name field message",
        "problems": "code message",
        "counts": "sessions sessions_established services services_announced prefixes",
    }


def test_the_document_is_plain_and_says_when_all_is_well() -> None:
    """It survives JSON unchanged, and a healthy node has no problem."""
    found = document(status_of())
    assert json.loads(json.dumps(found)) == found
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["started_at"] == "2023-11-14T22:13:20.000Z"
    assert found["counts"] == {
        "sessions": 1,
        "sessions_established": 1,
        "services": 1,
        "services_announced": 1,
        "prefixes": 1,
    }


def test_what_is_not_known_is_null_and_never_zero() -> None:
    """Before the first answer of FRR nothing is claimed about it."""
    found = document(AgentStatus(node="n1", version="0", started_at=0.0, sessions=(SessionState(peer="192.0.2.1"),)))
    assert found["frr"] == {"reachable": None, "version": None, "error": None}
    assert found["last_apply"] is None
    session = found["sessions"][0]
    unknown = {name for name, value in session.items() if value is None}
    assert unknown == {"asn", "state", "since", "prefixes_sent", "bfd", "dropped", "last_reset"}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"last_apply": None}, ProblemCode.STARTING, "nothing has been applied"),
        ({"blocked": "neighbor.j2:3: undefined"}, ProblemCode.BLOCKED, "stays: neighbor.j2:3: undefined"),
        ({"frr": FrrState(reachable=False, error="no socket")}, ProblemCode.FRR_UNREACHABLE, "no socket"),
        (
            {
                "last_apply": LastApply(
                    trigger="check",
                    at=0.0,
                    duration_seconds=0.0,
                    commands=1,
                    result=ApplyResult.ROLLED_BACK,
                    error="bgpd refused a line",
                )
            },
            ProblemCode.APPLY_FAILED,
            "was rolled back: bgpd refused a line",
        ),
        (
            {"sessions": (SessionState(peer="192.0.2.1", name="tor1", state="Active", last_reset="Hold timer"),)},
            ProblemCode.SESSION_DOWN,
            "session to 192.0.2.1 (tor1) is Active, last reset: Hold timer",
        ),
        ({"sessions": (SessionState(peer="eth1"),)}, ProblemCode.SESSION_DOWN, "session to eth1 is unknown to FRR"),
        (
            {"sessions": (SessionState(peer="192.0.2.1", state="Established", bfd="down"),)},
            ProblemCode.BFD_DOWN,
            "BFD session is down",
        ),
        ({"sessions": ()}, ProblemCode.NO_PEER, "1 Services to announce, but no BGPPeer selects node n1"),
        (
            {"pending": (PendingService(service=WEB, reason="x", message="pool a is full"),)},
            ProblemCode.NO_ADDRESS,
            "Service default/web has no address: pool a is full",
        ),
        ({"mistakes": (Mistake(file="a.yaml", line=1, message="x"),)}, ProblemCode.MISTAKES, "1 mistake in a.yaml"),
    ],
)
def test_every_kind_of_trouble_is_a_problem(changes: dict[str, object], code: ProblemCode, words: str) -> None:
    """One problem for one trouble, with a code for programs and a text for people."""
    found = document(status_of(**changes))
    assert [problem["code"] for problem in found["problems"]] == [str(code)]
    assert words in found["problems"][0]["message"]
    assert found["ok"] is False


def test_a_service_that_another_node_announces_is_no_problem() -> None:
    """Without local endpoints a node is right to be silent; the reason is in the document."""
    silent = Verdict(service=WEB, reason=Reason.NO_LOCAL_ENDPOINTS, detail="no ready endpoint on n1")
    found = document(status_of(services=(silent,)))
    assert found["ok"] is True
    assert found["services"][0]["reason"] == "noLocalEndpoints"
    assert found["services"][0]["prefixes"] == []


def test_services_of_another_type_are_left_out() -> None:
    """A cluster has many Services that ask for no address."""
    other = Verdict(service=NamespacedName("default", "dns"), reason=Reason.NOT_LOAD_BALANCER)
    found = document(status_of(services=(ANNOUNCED, other)))
    assert [service["name"] for service in found["services"]] == ["web"]
    assert found["counts"]["services"] == 1


def test_no_password_passes_through_an_error_text() -> None:
    """FRR repeats the refused line, password included."""
    line = "neighbor 192.0.2.1 password s3cret"
    failed = LastApply(
        trigger="manifests",
        at=0.0,
        duration_seconds=0.0,
        commands=1,
        result=ApplyResult.FAILED,
        resets=(SessionReset(peer="192.0.2.1", reason=line),),
        error=f"bgpd refused: {line}",
    )
    found = document(status_of(last_apply=failed, frr=FrrState(reachable=True, error=line)))
    assert "s3cret" not in json.dumps(found)
    assert "<hidden:" in found["last_apply"]["error"]


def test_the_difference_of_configurations_hides_passwords_too() -> None:
    """A changed password is seen as changed, by its hash, and not read."""
    diff = ConfigDiff(
        missing=(("router bgp 64512", "neighbor 192.0.2.1 password new"),),
        unexpected=(("router bgp 64512", "neighbor 192.0.2.1 password old"),),
    )
    found = diff_document("n1", diff)
    assert found["equal"] is False
    assert found["missing"] != found["unexpected"]
    assert "new" not in str(found["missing"])
    assert diff_document("n1", ConfigDiff()) == {
        "api_version": "v1",
        "node": "n1",
        "equal": True,
        "missing": [],
        "unexpected": [],
    }
