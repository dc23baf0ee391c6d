"""The agent's door, with the real server on a real unix socket and the real client."""

from __future__ import annotations

import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from frrsync.api.client import AgentClient, agent_sockets, find_agent
from frrsync.api.server import Server, Sources
from frrsync.core.announce import Verdict
from frrsync.core.model import NamespacedName
from frrsync.core.status import AgentStatus, ConfigDiff
from frrsync.core.status_document import document
from frrsync.errors import AgentUnavailable, ConfigError, FrrsyncError, FrrUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STATUS = AgentStatus(node="n1", version="0.1.0", started_at=1_700_000_000.0)
DESIRED = "router bgp 64512\n neighbor 192.0.2.1 password s3cret\n"


def sources_of(**changes: object) -> Sources:
    """Return the sources of an agent that works, with some replaced."""
    members: dict[str, object] = {
        "node": "n1",
        "status": lambda: STATUS,
        "desired": lambda: DESIRED,
        "running": lambda: "router bgp 64512\n",
        "managed": lambda: {"frr_version": "8.4", "maximum_paths": 256, "daemons": ["bgpd"], "tree": {}},
        "diff": lambda: ConfigDiff(missing=(("router bgp 64512", "neighbor 192.0.2.1 password s3cret"),)),
        "vtysh": lambda command: f"answer to {command}\n neighbor 192.0.2.1 password s3cret\n",
        "health": lambda: None,
        "orders": {},
    }
    return Sources(**{**members, **changes})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the socket is: in a folder that the server has to make."""
    return tmp_path / "run" / "agent-n1.sock"


@pytest.fixture
def client(path: Path) -> Iterator[AgentClient]:
    """Return a client of a server that works."""
    with Server(path, sources_of()):
        yield AgentClient(path)


def raw(path: Path, request: str) -> str:
    """Send bytes as they are and return the whole answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(f"{request} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer.decode()


def test_the_status_document_comes_through_unchanged(client: AgentClient) -> None:
    """The document of the core is the document of the door."""
    assert client.status() == document(STATUS)


def test_every_answer_has_the_promised_members_and_no_password(client: AgentClient) -> None:
    """Members are a contract; a password never passes, wherever it came from."""
    desired, diff, answer = client.desired(), client.diff(), client.vtysh("show bgp summary")
    assert list(desired) == ["api_version", "node", "config"]
    assert desired["config"].startswith("router bgp 64512\n neighbor 192.0.2.1 password <hidden:")
    assert client.running() == {"api_version": "v1", "node": "n1", "config": "router bgp 64512\n"}
    assert list(diff) == ["api_version", "node", "equal", "missing", "unexpected"]
    assert list(answer) == ["api_version", "node", "command", "output"]
    assert answer["output"].startswith("answer to show bgp summary\n")
    assert client.health() == {"api_version": "v1", "node": "n1", "healthy": True}
    assert "s3cret" not in f"{desired}{diff}{answer}"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("configure terminal", "starts with 'show'"),
        ("show", "starts with 'show'"),
        ("", "starts with 'show'"),
        ("show version\nconfigure terminal", "on one line"),
        ("show bgp \x00", "printable"),
        ("show " + "x" * 2000, "characters, allowed are"),
        ("sh bgp summary", "starts with 'show'"),
        ("show version | include FRR", "without"),
        ("show version; show bgp", "without"),
        ("show ?", "without"),
    ],
)
def test_only_one_show_command_reaches_frr(path: Path, command: str, words: str) -> None:
    """Whatever else is asked is refused before FRR hears of it."""
    asked: list[str] = []

    def vtysh(command: str) -> str:
        asked.append(command)
        return ""

    with Server(path, sources_of(vtysh=vtysh)), pytest.raises(FrrsyncError, match=words):
        AgentClient(path).vtysh(command)
    assert asked == []


@pytest.mark.parametrize(
    ("request_line", "status", "words"),
    [
        ("GET /v1/nothing", "404 Not Found", "allowed are /v1/status"),
        ("POST /v1/status", "405 Method Not Allowed", "only GET is allowed"),
        ("GET /v1/vtysh", "400 Bad Request", "found 0 times"),
        ("GET /v1/vtysh?command=show+a&command=show+b", "400 Bad Request", "found 2 times"),
    ],
)
def test_a_wrong_request_is_answered_with_what_is_allowed(
    client: AgentClient, path: Path, request_line: str, status: str, words: str
) -> None:
    """Errors are JSON too, with a text for people."""
    answer = raw(path, request_line)
    assert answer.startswith(f"HTTP/1.1 {status}\r\n")
    assert '"error":{"type":' in answer
    assert words in answer
    assert client.health()["healthy"], "the server goes on"


def test_what_a_source_cannot_tell_is_an_error_with_its_text(path: Path) -> None:
    """FRR is away: the asker hears why, without passwords; our own bugs do not leak a traceback."""

    def unavailable() -> str:
        raise FrrUnavailable("bgpd has no socket at /run/frr/bgpd.vty: neighbor 192.0.2.1 password s3cret")

    def broken() -> str:
        raise ZeroDivisionError("s3cret")

    with Server(path, sources_of(running=unavailable, desired=broken, health=lambda: "no reconcile for 90 s")):
        client = AgentClient(path)
        with pytest.raises(FrrsyncError, match=r"bgpd has no socket .*<hidden:[0-9a-f]{8}>"):
            client.running()
        assert "503 Service Unavailable" in raw(path, "GET /v1/config/running")
        with pytest.raises(FrrsyncError, match=r"^an internal error; the agent's log has it$"):
            client.desired()
        with pytest.raises(FrrsyncError, match="no reconcile for 90 s"):
            client.health()
        assert client.status()["node"] == "n1"


def test_a_hundred_clients_at_once_are_all_answered(path: Path) -> None:
    """Nobody is refused, and the document of ten thousand Services is not made a hundred times."""
    verdicts = tuple(Verdict(service=NamespacedName("default", f"s{number}")) for number in range(10_000))
    status = replace(STATUS, services=verdicts)
    together = threading.Barrier(100)

    def ask(_number: int) -> int:
        together.wait(timeout=60)
        return int(AgentClient(path).status()["counts"]["services_announced"])

    with Server(path, sources_of(status=lambda: status)), ThreadPoolExecutor(100) as pool:
        found = list(pool.map(ask, range(100)))
    assert found == [10_000] * 100


def test_a_slow_question_keeps_nobody_else_waiting(path: Path) -> None:
    """A hung FRR must not hide the status that says so."""
    release = threading.Event()

    def slow(_command: str) -> str:
        release.wait(timeout=60)
        return "late"

    with Server(path, sources_of(vtysh=slow)), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(AgentClient(path).vtysh, "show bgp summary")
        assert AgentClient(path).status()["node"] == "n1"
        assert not answer.done()
        release.set()
        assert answer.result(timeout=30)["output"] == "late"


def test_a_new_status_is_seen_at_once(path: Path) -> None:
    """What is kept is kept for one status object only."""
    current = [STATUS]
    with Server(path, sources_of(status=lambda: current[0])):
        client = AgentClient(path)
        assert client.status()["version"] == "0.1.0"
        current[0] = replace(STATUS, version="0.2.0")
        assert client.status()["version"] == "0.2.0"


def test_only_user_and_group_may_connect(client: AgentClient, path: Path) -> None:
    """The running configuration of a router is nobody else's business."""
    assert client.health()["healthy"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_the_socket_of_a_killed_agent_is_replaced(path: Path) -> None:
    """After kill -9 the file is still there, and nobody listens."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(AgentUnavailable, match="nobody listens; the agent died or was killed"):
        AgentClient(path).status()
    with Server(path, sources_of()):
        assert AgentClient(path).health()["healthy"]


def test_a_second_agent_of_the_node_is_refused(client: AgentClient, path: Path) -> None:
    """Two agents at one FRR would undo each other's work."""
    with pytest.raises(ConfigError, match="another agent serves on it"):
        Server(path, sources_of()).start()
    assert client.health()["healthy"], "the first goes on"


def test_a_socket_that_cannot_be_is_an_error_with_advice(tmp_path: Path) -> None:
    """Too long a path, something else in its place, a folder that is a file."""
    long = tmp_path / ("x" * 100) / "agent-n1.sock"
    with pytest.raises(ConfigError, match="bytes, a unix socket allows 107; choose a shorter --run-dir"):
        Server(long, sources_of()).start()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match="exists and is no socket"):
        Server(file, sources_of()).start()
    with pytest.raises(ConfigError, match=r"(File exists|Not a directory)"):
        Server(file / "agent-n1.sock", sources_of()).start()


def test_stop_ends_soon_and_removes_the_socket(path: Path) -> None:
    """Also with a client whose connection is still open; stopping twice is harmless."""
    server = Server(path, sources_of())
    server.start()
    client = AgentClient(path)
    client.health()
    began = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - began < 5
    assert not path.exists()
    with pytest.raises(AgentUnavailable, match="no such socket; is the agent of this node running"):
        client.health()


def test_the_server_leaves_no_thread_that_keeps_the_process(path: Path) -> None:
    """Every thread is a daemon: a stop that hangs cannot keep a dying agent alive."""
    before = set(threading.enumerate())
    with Server(path, sources_of()):
        started = set(threading.enumerate()) - before
        assert started
        assert [thread.name for thread in started if not thread.daemon] == []


def test_an_agent_that_hangs_is_told_from_one_that_is_away(path: Path) -> None:
    """It accepts, and never answers."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(AgentUnavailable, match=r"no answer within 0\.2 s; is it hung\?"):
            AgentClient(path, timeout_seconds=0.2).status()


def test_somebody_else_at_the_socket_is_reported(path: Path) -> None:
    """An answer that is not ours is an error, not an empty document."""
    path.parent.mkdir()

    def serve(listener: socket.socket) -> None:
        for _number in range(2):
            connection, _address = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(str(path))
        listener.listen()
        pool.submit(serve, listener)
        for _number in range(2):
            with pytest.raises(AgentUnavailable, match=r"agent at .*: "):
                AgentClient(path).status()


def test_a_proxy_of_the_environment_is_not_asked(client: AgentClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators have http_proxy set; the agent is on this machine."""
    monkeypatch.setenv("http_proxy", "http://192.0.2.9:3128")
    assert client.health()["healthy"]


def test_the_agent_is_found_by_its_node_or_by_being_the_only_one(tmp_path: Path) -> None:
    """Nobody wants to type a path at night; with several agents the text says which there are."""
    with pytest.raises(AgentUnavailable, match=r"no socket of an agent in .*; is one running"):
        find_agent(tmp_path / "nowhere")
    with pytest.raises(AgentUnavailable, match=r"no socket of an agent of node n1 .*no agent has one there"):
        find_agent(tmp_path, "n1")
    first, second = tmp_path / "agent-n1.sock", tmp_path / "agent-n2.example.com.sock"
    first.touch()
    assert find_agent(tmp_path) == first
    second.touch()
    assert agent_sockets(tmp_path) == {"n1": first, "n2.example.com": second}
    assert find_agent(tmp_path, "n2.example.com") == second
    with pytest.raises(AgentUnavailable, match=r"choose one with --node: n1, n2\.example\.com"):
        find_agent(tmp_path)
    with pytest.raises(AgentUnavailable, match=r"agents here: n1, n2\.example\.com"):
        find_agent(tmp_path, "n3")
