"""The answers behind the paths: a WSGI application that knows no socket and no reconcile thread."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from math import isfinite
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from frrsync import log
from frrsync.core.redact import redact
from frrsync.core.show_command import show_command
from frrsync.core.status_document import diff_document, document
from frrsync.errors import ConfigError, FrrsyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from frrsync.core.status import AgentStatus, ConfigDiff, Document

_log = log.get("api")

LARGEST_BODY = 4096
"""Bytes of a request: orders are short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the answers come from.

    Each is called in a thread of the server, possibly in several at once. It reads an immutable object
    behind one reference or asks FRR on a connection of its own; it never waits for the reconcile thread.
    What it cannot tell it raises as a FrrsyncError, which becomes status 503 with that text.

    Attributes:
        node: name of this node.
        status: the latest status; the same object as long as nothing changed, its JSON is kept.
        desired: the configuration rendered last.
        running: the configuration that FRR runs.
        managed: what FRR runs of frrsync's, as a tree without passwords, and which FRR it is.
        diff: the difference between the two.
        vtysh: the answer of FRR to one show command.
        health: None when the agent works, else what is wrong, for a supervisor that would restart it.
        orders: what an operator may order by POST to ``/v1/NAME``: the body of the request in, the answer out.
            One that cannot be carried out raises ConfigError.

    """

    node: str
    status: Callable[[], AgentStatus]
    desired: Callable[[], str]
    running: Callable[[], str]
    managed: Callable[[], Document]
    diff: Callable[[], ConfigDiff]
    vtysh: Callable[[str], str]
    health: Callable[[], str | None]
    orders: Mapping[str, Callable[[Document], Document]]


def number(body: Document, name: str) -> float:
    """Return a member of a request that must be a finite number; raises ConfigError otherwise."""
    found = body.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not isfinite(found):
        raise ConfigError(f"{name}: found {str(found)[:80]!r}, allowed is a number")
    return float(found)


class Application:
    """The WSGI application."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kept: tuple[AgentStatus, bytes] | None = None
        self._answers: dict[str, Callable[[str], tuple[HTTPStatus, bytes]]] = {
            "/v1/status": self._status,
            "/v1/config/desired": lambda _query: _ok(self._config(sources.desired())),
            "/v1/config/running": lambda _query: _ok(self._config(sources.running())),
            "/v1/config/managed": lambda _query: _ok(self._managed()),
            "/v1/config/diff": lambda _query: _ok(diff_document(sources.node, sources.diff())),
            "/v1/vtysh": self._vtysh,
            "/v1/healthz": self._health,
        }
        self._orders = {f"/v1/{name}": order for name, order in sources.orders.items()}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if path in self._orders and method == "POST":
            status, body = self._guarded(path, lambda: _ok(self._orders[path](_body(environ))))
        else:
            status, body = self._respond(method, path, environ.get("QUERY_STRING", ""))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "POST" if path in self._orders else "GET"))
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _respond(self, method: str, path: str, query: str) -> tuple[HTTPStatus, bytes]:
        if path in self._orders:
            return _error(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", f"method {method!r}: only POST is allowed")
        answer = self._answers.get(path)
        if answer is None:
            allowed = ", ".join((*self._answers, *self._orders))
            return _error(HTTPStatus.NOT_FOUND, "NotFound", f"path {path!r} is unknown; allowed are {allowed}")
        if method != "GET":
            return _error(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", f"method {method!r}: only GET is allowed")
        return self._guarded(path, lambda: answer(query))

    def _guarded(self, path: str, answer: Callable[[], tuple[HTTPStatus, bytes]]) -> tuple[HTTPStatus, bytes]:
        """Return an answer, or the error that it ran into."""
        try:
            return answer()
        except ConfigError as error:
            return _error(HTTPStatus.BAD_REQUEST, type(error).__name__, str(error))
        except FrrsyncError as error:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, type(error).__name__, str(error))
        except Exception:  # noqa: BLE001 - our bug: logged, answered, and the next request goes on
            _log.exception("request_failed", path=path)
            return _error(
                HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", "an internal error; the agent's log has it"
            )

    def _status(self, _query: str) -> tuple[HTTPStatus, bytes]:
        """Return the status; many askers cost one encoding, since it takes long with 10,000 Services."""
        status = self._sources.status()
        kept = self._kept
        if kept is None or kept[0] is not status:
            kept = (status, _encode(document(status)))
            self._kept = kept
        return HTTPStatus.OK, kept[1]

    def _managed(self) -> Document:
        return {"api_version": "v1", "node": self._sources.node, **self._sources.managed()}

    def _config(self, text: str) -> Document:
        return {"api_version": "v1", "node": self._sources.node, "config": redact(text)}

    def _vtysh(self, query: str) -> tuple[HTTPStatus, bytes]:
        found = parse_qs(query, keep_blank_values=True).get("command", [])
        if len(found) != 1:
            raise ConfigError(f"parameter command: found {len(found)} times, allowed is once")
        command = show_command(found[0])
        output = redact(self._sources.vtysh(command))
        return _ok({"api_version": "v1", "node": self._sources.node, "command": command, "output": output})

    def _health(self, _query: str) -> tuple[HTTPStatus, bytes]:
        reason = self._sources.health()
        if reason is not None:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "Unhealthy", reason)
        return _ok({"api_version": "v1", "node": self._sources.node, "healthy": True})


def _body(environ: WSGIEnvironment) -> Document:
    """Return the JSON object of a request; an empty body is an empty object."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise ConfigError("header Content-Length: allowed is a number") from None
    if not 0 <= length <= LARGEST_BODY:
        raise ConfigError(f"body: found {length} bytes, allowed are up to {LARGEST_BODY}")
    text = environ["wsgi.input"].read(length)
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        raise ConfigError(f"body: found {text[:80]!r}, allowed is one JSON object") from None
    if not isinstance(found, dict):
        raise ConfigError(f"body: found {text[:80]!r}, allowed is one JSON object")
    return found


def _encode(content: Document) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _ok(content: Document) -> tuple[HTTPStatus, bytes]:
    return HTTPStatus.OK, _encode(content)


def _error(status: HTTPStatus, kind: str, message: str) -> tuple[HTTPStatus, bytes]:
    return status, _encode({"error": {"type": kind, "message": redact(message)}})
