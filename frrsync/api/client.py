"""Asking an agent over its unix socket."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from frrsync.errors import AgentUnavailable, FrrsyncError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Document = dict[str, Any]

_BASE = "http://agent"
TIMEOUT_SECONDS = 60.0
"""For one answer; ``show`` of a full table through vtysh takes its time."""
_CONNECT_SECONDS = 5


def agent_sockets(run_dir: Path) -> dict[str, Path]:
    """Return the sockets in a folder by the name of their node; a folder that is not there has none."""
    try:
        found = sorted(run_dir.glob("agent-*.sock"))
    except PermissionError as error:
        raise AgentUnavailable(f"folder {run_dir}: not permitted to look for agents; try as root") from error
    return {path.name.removeprefix("agent-").removesuffix(".sock"): path for path in found}


def find_agent(run_dir: Path, node: str = "") -> Path:
    """Return the socket of the agent of a node, or of the only agent there is.

    Raises AgentUnavailable when there is none, or several and no node is named; the text says which.
    """
    sockets = agent_sockets(run_dir)
    if node:
        if node not in sockets:
            there = f"agents here: {', '.join(sockets)}" if sockets else "no agent has one there"
            raise AgentUnavailable(
                f"no socket of an agent of node {node} in {run_dir} ({there}); is it running, is --run-dir right?"
            )
        return sockets[node]
    if not sockets:
        raise AgentUnavailable(f"no socket of an agent in {run_dir}; is one running, is --run-dir right?")
    if len(sockets) > 1:
        raise AgentUnavailable(f"several agents in {run_dir}, choose one with --node: {', '.join(sockets)}")
    return next(iter(sockets.values()))


class AgentClient:
    """Talks to one agent; every method raises AgentUnavailable when nobody answers."""

    def __init__(self, socket_path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._path = socket_path
        self._timeout = timeout_seconds
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment has no business on a unix socket
        self._session.mount(_BASE, _UnixAdapter(socket_path))

    def status(self) -> Document:
        """Return the status document."""
        return self._get("/v1/status")

    def running(self) -> Document:
        """Return what FRR runs, as the member ``config``."""
        return self._get("/v1/config/running")

    def desired(self) -> Document:
        """Return what was rendered last, as the member ``config``."""
        return self._get("/v1/config/desired")

    def diff(self) -> Document:
        """Return how the two differ (``equal``, ``missing``, ``unexpected``)."""
        return self._get("/v1/config/diff")

    def managed(self) -> Document:
        """Return what FRR runs of frrsync's as the member ``tree``, and which FRR it is."""
        return self._get("/v1/config/managed")

    def vtysh(self, command: str) -> Document:
        """Return FRR's answer to one show command, as the member ``output``."""
        return self._get("/v1/vtysh", {"command": command})

    def health(self) -> Document:
        """Return normally when the agent works; raise FrrsyncError with the reason otherwise."""
        return self._get("/v1/healthz")

    def order(self, name: str, body: Document | None = None) -> Document:
        """Give an order (``pause``, ``resume``, ``drain``, ``undrain``, ``confirm``); return what holds now."""
        return self._ask("POST", f"/v1/{name}", body=body or {})

    def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> Document:
        return self._ask("GET", path, parameters)

    def _ask(
        self, method: str, path: str, parameters: Mapping[str, str] | None = None, body: Document | None = None
    ) -> Document:
        try:
            response = self._session.request(method, _BASE + path, params=parameters, json=body, timeout=self._timeout)
            content = response.json()
        except requests.Timeout as error:
            raise AgentUnavailable(
                f"agent at {self._path}: no answer within {self._timeout:g} s; is it hung?"
            ) from error
        except requests.RequestException as error:
            raise AgentUnavailable(f"agent at {self._path}: the connection broke: {error}") from error
        if not isinstance(content, dict):
            raise AgentUnavailable(f"agent at {self._path}: an answer that is no document: {str(content)[:80]!r}")
        if not response.ok:
            raise FrrsyncError(str(content.get("error", {}).get("message", f"HTTP status {response.status_code}")))
        return content


class _UnixAdapter(HTTPAdapter):
    """Sends every request of a session to one unix socket."""

    def __init__(self, path: Path) -> None:
        self._pool = _UnixPool(path)
        super().__init__()

    def get_connection_with_tls_context(self, *_args: Any, **_kwargs: Any) -> HTTPConnectionPool:
        """Return the one pool, whatever the URL."""
        return self._pool

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()
        super().close()


class _UnixPool(HTTPConnectionPool):
    """Connections to one unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("agent")
        self._path = path

    def _new_conn(self) -> _UnixConnection:
        return _UnixConnection(self._path)


class _UnixConnection(HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("agent")
        self._path = path

    def connect(self) -> None:
        """Connect, or raise AgentUnavailable with advice.

        The socket stays blocking while it connects: one with a timeout is non-blocking to the kernel, which
        then refuses at once when the queue of the listener is full. SO_SNDTIMEO limits the wait instead.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _CONNECT_SECONDS, 0))
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            raise AgentUnavailable(f"agent at {self._path}: {_advice(error)}") from error
        connection.settimeout(TIMEOUT_SECONDS)
        self.sock = connection


def _advice(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such socket; is the agent of this node running, is --run-dir right?"
    if isinstance(error, PermissionError):
        return "not permitted to connect; try as root or as a member of the socket's group"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens; the agent died or was killed, start it again"
    if isinstance(error, BlockingIOError):
        return f"not accepted within {_CONNECT_SECONDS} s; is it hung?"
    return error.strerror or str(error)
