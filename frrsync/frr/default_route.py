"""The default gateways that zebra knows.

FRR 8.4 and 10.3 answer with the same members. A route that the kernel uses is ``selected``, the one with the lowest
metric of several; its next hops that can be reached are ``active`` (10.3 keeps routes over a cable that was pulled).
Behind a next hop that is reached by another route (``recursive``) come those that the kernel uses for it.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from frrsync.core.address import parse_address
from frrsync.errors import VtyError
from frrsync.frr.plan import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frrsync.frr.session import Frr

COMMANDS: Final[Mapping[int, str]] = MappingProxyType(
    {4: "show ip route 0.0.0.0/0 json", 6: "show ipv6 route ::/0 json"}
)
"""What to ask zebra, by IP version."""


def read_gateways(text: str, command: str) -> tuple[str, ...]:
    """Return the next hops of the default route; a link-local one as ``fe80::1%eth0``.

    Empty without a default route, and for one that leads to an interface and names no gateway.
    """
    try:
        document: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise VtyError(f"{command!r} printed no JSON: {error}; found {text.strip()[:80]!r}") from error
    entries = [] if not isinstance(document, dict) else [one for part in document.values() for one in part]
    found = [
        _gateway(hop)
        for entry in entries
        if isinstance(entry, dict) and entry.get("selected")
        for hop in entry.get("nexthops", ())
        if hop.get("active") and hop.get("ip") and not hop.get("recursive")
    ]
    return tuple(sorted(dict.fromkeys(found)))


def gateways_of(ask: Callable[[str], str]) -> dict[int, tuple[str, ...]]:
    """Return the default gateways by IP version; ``ask`` returns zebra's answer to a show command."""
    found = {}
    for version, command in COMMANDS.items():
        hops = read_gateways(ask(command), command)
        found[version] = tuple(hop for hop in hops if parse_address(hop.partition("%")[0]).version == version)
    return found


def known_gateways(frr: Frr) -> list[str] | None:
    """Return the default gateways of both IP versions, None when zebra does not answer."""
    try:
        found = gateways_of(lambda command: frr.show(command, Daemon.ZEBRA))
    except VtyError:
        return None
    return [hop for hops in found.values() for hop in hops]


def _gateway(hop: dict[str, Any]) -> str:
    address = parse_address(str(hop["ip"]))
    is_local = address.version == 6 and address.is_link_local
    return f"{address}%{hop.get('interfaceName', '')}" if is_local else str(address)
