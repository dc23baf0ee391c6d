"""The topology as people write it: one YAML document, described in ``docs/lab.md``."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from frrsync.errors import LabError
from frrsync.lab.rootfs import VERSIONS
from frrsync.lab.topology import UPLINK_FIRST, AddressPool, Bfd, Device, End, Link, Topology, ends4, ends6

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frrsync.lab.topology import Kind

SAMPLES = Path(__file__).parent / "topologies"

LAB_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")
# 12 characters leave room for ".2": interfaces are named after the other end, and Linux allows 15
DEVICE_NAME = re.compile(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?")

FIELDS = (
    "name", "frr", "pools", "bfd", "service-prefixes", "manifests", "generate", "agents",
    "routers", "nodes", "clients", "links",
)  # fmt: skip
DEVICE_FIELDS: dict[Kind, tuple[str, ...]] = {
    "router": ("asn", "frr", "daemons", "config"),
    "node": ("asn", "frr", "daemons", "config", "agent", "settings", "labels"),
    "client": (),
}
LINK_FIELDS = ("between", "ipv4", "ipv6", "bfd")


def read_topology(path: Path, *, name: str | None = None) -> Topology:
    """Return the topology of a file, or of a sample by its name (``demo``)."""
    if not path.exists() and (sample := SAMPLES / f"{path}.yaml").exists():
        path = sample
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise LabError(f"topology {path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise LabError(f"topology {path} is no YAML: {error}") from error
    if not isinstance(document, dict):
        raise LabError(f"topology {path}: found {type(document).__name__}, allowed is a mapping")
    document = {"name": path.stem, **document, **({"name": name} if name else {})}
    if document.get("manifests"):
        document["manifests"] = str((path.parent / str(document["manifests"])).absolute())
    try:
        return parse_topology(document)
    except LabError as error:
        raise LabError(f"topology {path}: {error}") from error


def parse_topology(document: dict[str, Any]) -> Topology:
    """Return the topology of a document; LabError names the field, what was found and what is allowed."""
    _only(document, FIELDS, "")
    name = str(document.get("name"))
    if not LAB_NAME.fullmatch(name):
        raise LabError(f"name: found {name!r}, allowed are 1 to 8 lower-case letters and digits, a letter first")
    pool = _pool(_mapping(document, "pools"))
    devices = tuple(_devices(document, pool))
    if not devices:
        raise LabError("routers, nodes, clients: found none, at least one device is needed")
    bfd = _bfd(_mapping(document, "bfd"))
    prefixes = document.get("service-prefixes") or ("198.51.100.0/24", "2001:db8:5e::/64")
    manifests = document.get("manifests")
    return Topology(
        name=name,
        devices=devices,
        links=tuple(_links(document.get("links") or [], devices, pool, bfd)),
        bfd=bfd,
        service_prefixes=tuple(_network(str(item), "service-prefixes") for item in prefixes),
        manifests=None if manifests is None else Path(manifests),
        generate=_flag(document.get("generate", True), "generate"),
        source=dict(document),
    )


def _devices(document: dict[str, Any], pool: AddressPool) -> Iterable[Device]:
    """Yield all devices with their loopbacks; a name occurs once."""
    seen: set[str] = set()
    kinds: tuple[tuple[str, Kind], ...] = (("routers", "router"), ("nodes", "node"), ("clients", "client"))
    for field, kind in kinds:
        for name, given in _mapping(document, field).items():
            where = f"{field}.{name}"
            if not isinstance(name, str) or not DEVICE_NAME.fullmatch(name):
                raise LabError(f"{where}: a device name has 1 to 12 lower-case letters, digits and '-'")
            if name in seen:
                raise LabError(f"{where}: the name is used twice")
            device = _device(name, kind, given or {}, document, where)
            yield replace(device, loopback4=pool.loopback4(len(seen)), loopback6=pool.loopback6(len(seen)))
            seen.add(name)


def _device(name: str, kind: Kind, given: dict[str, Any], document: dict[str, Any], where: str) -> Device:
    if not isinstance(given, dict):
        raise LabError(f"{where}: found {given!r}, allowed is a mapping")
    _only(given, DEVICE_FIELDS[kind], f"{where}.")
    if kind == "client":
        return Device(name=name, kind=kind)
    asn = given.get("asn")
    if not isinstance(asn, int) or isinstance(asn, bool) or not 1 <= asn <= 4294967295:
        raise LabError(f"{where}.asn: found {asn!r}, allowed is 1 to 4294967295")
    frr = str(given.get("frr", document.get("frr", VERSIONS[-1])))
    if frr not in VERSIONS and frr != "host" and not frr.startswith("/"):
        raise LabError(f"{where}.frr: found {frr!r}, allowed are {', '.join(VERSIONS)}, host, or a root folder")
    return Device(
        name=name,
        kind=kind,
        asn=asn,
        frr=frr,
        daemons=tuple(str(daemon) for daemon in given.get("daemons") or ()),
        config=str(given.get("config") or ""),
        agent=kind == "node" and _flag(given.get("agent", document.get("agents", True)), f"{where}.agent"),
        settings=_texts(given, "settings", where),
        labels=_texts(given, "labels", where),
    )


def _links(given: Any, devices: tuple[Device, ...], pool: AddressPool, bfd: Bfd) -> Iterable[Link]:
    """Yield the links with both ends named and addressed."""
    kinds = {device.name: device.kind for device in devices}
    used: set[tuple[str, str]] = set()
    if not isinstance(given, list):
        raise LabError(f"links: found {type(given).__name__}, allowed is a list")
    for index, item in enumerate(given):
        where = f"links[{index}]"
        link = item if isinstance(item, dict) else {"between": item}
        _only(link, LINK_FIELDS, f"{where}.")
        between = link.get("between")
        if not isinstance(between, list) or len(between) != 2 or not set(between) <= set(kinds):
            raise LabError(f"{where}.between: found {between!r}, allowed are two of {', '.join(kinds)}")
        first, second = sorted(between, key=lambda name: UPLINK_FIRST[kinds[name]])
        if first == second:
            raise LabError(f"{where}.between: {first} cannot be linked to itself")
        ipv4 = ends4(_ipv4(link["ipv4"], where)) if link.get("ipv4") else pool.link4(index)
        ipv6 = ends6(_ipv6(link["ipv6"], where)) if link.get("ipv6") else pool.link6(index)
        if "ipv4" in link and link["ipv4"] is None:
            ipv4 = None
        if "ipv6" in link and link["ipv6"] is None:
            ipv6 = None
        sides = []
        for side, (device, other) in enumerate(((first, second), (second, first))):
            interface = _free_interface(device, other, used)
            sides.append(
                End(
                    device=device,
                    interface=interface,
                    ipv4=None if ipv4 is None else ipv4[side],
                    ipv6=None if ipv6 is None else ipv6[side],
                )
            )
        yield Link(first=sides[0], second=sides[1], bfd=_flag(link.get("bfd", bfd.enabled), f"{where}.bfd"))


def _free_interface(device: str, other: str, used: set[tuple[str, str]]) -> str:
    """Return the name of the other end, with a number when two devices share several links."""
    names = (other, *(f"{other}.{number}" for number in range(2, 100)))
    name = next(name for name in names if (device, name) not in used)
    used.add((device, name))
    return name


def _pool(given: dict[str, Any]) -> AddressPool:
    _only(given, ("ipv4", "ipv6"), "pools.")
    values = {"ipv4": "10.250.0.0/16", "ipv6": "fd00:1ab::/48", **given}
    return AddressPool(
        ipv4=None if values["ipv4"] is None else _ipv4(values["ipv4"], "pools"),
        ipv6=None if values["ipv6"] is None else _ipv6(values["ipv6"], "pools"),
    )


def _bfd(given: dict[str, Any]) -> Bfd:
    _only(given, ("enabled", "interval", "multiplier"), "bfd.")
    default = Bfd()
    return Bfd(
        enabled=_flag(given.get("enabled", default.enabled), "bfd.enabled"),
        interval=_number(given.get("interval", default.interval), "bfd.interval", 10, 60000),
        multiplier=_number(given.get("multiplier", default.multiplier), "bfd.multiplier", 2, 255),
    )


def _only(given: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in allowed:
            raise LabError(f"{where}{key}: unknown field, allowed are {', '.join(allowed) or 'none'}")


def _mapping(document: dict[str, Any], field: str) -> dict[str, Any]:
    value = document.get(field) or {}
    if not isinstance(value, dict):
        raise LabError(f"{field}: found {type(value).__name__}, allowed is a mapping")
    return value


def _texts(given: dict[str, Any], field: str, where: str) -> tuple[tuple[str, str], ...]:
    """Return a mapping as pairs of texts; a flag becomes what a command line and a label know."""
    value = given.get(field) or {}
    if not isinstance(value, dict):
        raise LabError(f"{where}.{field}: found {type(value).__name__}, allowed is a mapping")
    return tuple((str(key), str(text).lower() if isinstance(text, bool) else str(text)) for key, text in value.items())


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise LabError(f"{where}: found {value!r}, allowed are true and false")
    return value


def _number(value: Any, where: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise LabError(f"{where}: found {value!r}, allowed is {least} to {most}")
    return value


def _network(text: str, where: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise LabError(f"{where}: {error}") from error


def _ipv4(text: object, where: str) -> IPv4Network:
    network = _network(str(text), f"{where}.ipv4")
    if not isinstance(network, IPv4Network) or network.prefixlen > 31:
        raise LabError(f"{where}.ipv4: found {text}, allowed is an IPv4 network of two addresses or more")
    return network


def _ipv6(text: object, where: str) -> IPv6Network:
    network = _network(str(text), f"{where}.ipv6")
    if not isinstance(network, IPv6Network) or network.prefixlen > 127:
        raise LabError(f"{where}.ipv6: found {text}, allowed is an IPv6 network of two addresses or more")
    return network
