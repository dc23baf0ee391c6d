"""BGP messages (RFC 4271) to plain values and back, as much as a listener needs.

Multiprotocol (RFC 4760), 4-byte ASNs (RFC 6793), communities (RFC 1997) and large ones (RFC 8092).
AS paths are read with 4-byte ASNs: the listener offers that capability, and FRR always takes it.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
HEADER_SIZE = 19
MAXIMUM_SIZE = 4096
AS_TRANS = 23456
ORIGINS = {0: "igp", 1: "egp", 2: "incomplete"}

_MARKER = b"\xff" * 16
_LENGTH_AND_TYPE = struct.Struct("!HB")


class MalformedMessageError(Exception):
    """The other end sent something that is not BGP; ``code`` and ``subcode`` are for the NOTIFICATION."""

    def __init__(self, text: str, *, code: int = 1, subcode: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.subcode = subcode


@dataclass(slots=True)
class Open:
    """An OPEN; ``capabilities`` are code to list of values."""

    asn: int
    hold_time: int
    router_id: str
    capabilities: dict[int, list[bytes]]


@dataclass(slots=True)
class Update:
    """An UPDATE; prefixes are text, attributes as :func:`_attributes` names them.

    ``end_of_rib`` holds the family (``ipv4`` or ``ipv6``) of an End-of-RIB marker (RFC 4724).
    """

    announced: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    end_of_rib: str = ""


def message(kind: int, body: bytes = b"") -> bytes:
    """Return a whole message."""
    return _MARKER + _LENGTH_AND_TYPE.pack(HEADER_SIZE + len(body), kind) + body


def open_message(asn: int, hold_time: int, router_id: str) -> bytes:
    """Return an OPEN that offers both families, route refresh and 4-byte ASNs."""
    capabilities = b"".join(struct.pack("!BBHBB", 1, 4, family, 0, 1) for family in (1, 2))
    capabilities += struct.pack("!BB", 2, 0) + struct.pack("!BBI", 65, 4, asn)
    options = struct.pack("!BB", 2, len(capabilities)) + capabilities
    short_asn = asn if asn < 1 << 16 else AS_TRANS
    body = struct.pack("!BHH", 4, short_asn, hold_time) + socket.inet_aton(router_id)
    return message(OPEN, body + bytes([len(options)]) + options)


def notification(code: int, subcode: int) -> bytes:
    """Return a NOTIFICATION without data."""
    return message(NOTIFICATION, bytes([code, subcode]))


def route_refresh(family: int) -> bytes:
    """Return a request for all routes of a family again (AFI 1 or 2, RFC 2918)."""
    return message(ROUTE_REFRESH, struct.pack("!HBB", family, 0, 1))


def split(buffer: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the complete messages (type, body) of a buffer, and what is left of it."""
    found = []
    offset = 0
    while len(buffer) - offset >= HEADER_SIZE:
        length, kind = _LENGTH_AND_TYPE.unpack_from(buffer, offset + 16)
        if not HEADER_SIZE <= length <= MAXIMUM_SIZE or buffer[offset : offset + 16] != _MARKER:
            raise MalformedMessageError(f"no message header at byte {offset}", code=1, subcode=2)
        if len(buffer) - offset < length:
            break
        found.append((kind, buffer[offset + HEADER_SIZE : offset + length]))
        offset += length
    return found, buffer[offset:]


def read_open(body: bytes) -> Open:
    """Read the body of an OPEN; the 4-byte ASN wins over the short one."""
    try:
        _version, asn, hold_time = struct.unpack_from("!BHH", body)
        capabilities: dict[int, list[bytes]] = {}
        for code, value in _capabilities(body[10 : 10 + body[9]]):
            capabilities.setdefault(code, []).append(value)
        if 65 in capabilities:
            (asn,) = struct.unpack("!I", capabilities[65][0])
        return Open(asn, hold_time, socket.inet_ntoa(body[5:9]), capabilities)
    except (struct.error, IndexError, OSError) as error:
        raise MalformedMessageError(f"OPEN cannot be read: {error}", code=2) from error


def _capabilities(options: bytes) -> Iterator[tuple[int, bytes]]:
    for kind, parameter in _code_length_value(options):
        if kind == 2:
            yield from _code_length_value(parameter)


def _code_length_value(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        code, length = data[offset], data[offset + 1]
        yield code, data[offset + 2 : offset + 2 + length]
        offset += 2 + length


def read_update(body: bytes) -> Update:
    """Read the body of an UPDATE."""
    try:
        (withdrawn_size,) = struct.unpack_from("!H", body)
        (attribute_size,) = struct.unpack_from("!H", body, 2 + withdrawn_size)
        start = 4 + withdrawn_size
        update = Update()
        update.withdrawn.extend(_prefixes(body[2 : 2 + withdrawn_size], socket.AF_INET))
        emptied = _attributes(update, body[start : start + attribute_size])
        update.announced.extend(_prefixes(body[start + attribute_size :], socket.AF_INET))
    except (struct.error, IndexError, OSError, ValueError) as error:
        raise MalformedMessageError(f"UPDATE cannot be read: {error}", code=3, subcode=1) from error
    if not update.announced and not update.withdrawn:
        update.end_of_rib = emptied or "ipv4"
    return update


def _attributes(update: Update, data: bytes) -> str:
    """Read the path attributes into the update; return the family of an MP_UNREACH without prefixes."""
    emptied = ""
    offset = 0
    while offset < len(data):
        flags, code = data[offset], data[offset + 1]
        if flags & 0x10:
            (length,) = struct.unpack_from("!H", data, offset + 2)
            offset += 4
        else:
            length = data[offset + 2]
            offset += 3
        value = data[offset : offset + length]
        offset += length
        if code == 14:
            _reach(update, value)
        elif code == 15:
            family = _family(value)
            update.withdrawn.extend(_prefixes(value[3:], family))
            emptied = "" if value[3:] else ("ipv4" if family == socket.AF_INET else "ipv6")
        else:
            _attribute(update.attributes, code, value)
    return emptied


def _reach(update: Update, value: bytes) -> None:
    """Read MP_REACH_NLRI; a next hop of 32 bytes is a global and a link-local address (RFC 2545)."""
    size = value[3]
    hops = value[4 : 4 + size]
    family = socket.AF_INET if size == 4 else socket.AF_INET6
    width = 4 if size == 4 else 16
    update.attributes["next_hop"] = [
        socket.inet_ntop(family, hops[start : start + width]) for start in range(0, size, width)
    ]
    update.announced.extend(_prefixes(value[5 + size :], _family(value)))


def _attribute(attributes: dict[str, Any], code: int, value: bytes) -> None:
    match code:
        case 1:
            attributes["origin"] = ORIGINS.get(value[0], str(value[0]))
        case 2:
            attributes["as_path"] = list(_as_path(value))
        case 3:
            attributes["next_hop"] = [socket.inet_ntoa(value)]
        case 4:
            (attributes["med"],) = struct.unpack("!I", value)
        case 5:
            (attributes["local_pref"],) = struct.unpack("!I", value)
        case 8:
            attributes["communities"] = [_colons(pair) for pair in struct.iter_unpack("!HH", value)]
        case 32:
            attributes["large_communities"] = [_colons(three) for three in struct.iter_unpack("!III", value)]
        case _:
            attributes.setdefault("other", {})[str(code)] = value.hex()


def _colons(numbers: tuple[int, ...]) -> str:
    return ":".join(map(str, numbers))


def _as_path(value: bytes) -> Iterator[int]:
    offset = 0
    while offset < len(value):
        kind, count = value[offset], value[offset + 1]
        if kind != 2:
            raise ValueError(f"AS path segment of type {kind}")
        yield from struct.unpack_from(f"!{count}I", value, offset + 2)
        offset += 2 + 4 * count


def _family(value: bytes) -> int:
    number, subsequent = struct.unpack_from("!HB", value)
    if number not in {1, 2} or subsequent != 1:
        raise ValueError(f"address family {number}/{subsequent}")
    return socket.AF_INET if number == 1 else socket.AF_INET6


def _prefixes(data: bytes, family: int) -> Iterator[str]:
    """Yield the prefixes as text; host routes, nearly all of ours, go the short way."""
    width = 4 if family == socket.AF_INET else 16
    offset, end = 0, len(data)
    while offset < end:
        length = data[offset]
        size = (length + 7) // 8
        if size > width or offset + 1 + size > end:
            raise ValueError(f"prefix of length {length} at byte {offset}")
        packed = data[offset + 1 : offset + 1 + size]
        if size < width:
            packed = packed.ljust(width, b"\0")
        yield f"{socket.inet_ntop(family, packed)}/{length}"
        offset += 1 + size
