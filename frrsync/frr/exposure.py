"""Which neighbors of an operator's could be sent our prefixes by accident. Pure.

A neighbor is looked at if routes of our address family reach it: in the family itself, in labeled unicast,
which shares its table, and where the operator exports it to (VPN, another VRF, EVPN). It may not see our
prefixes unless its outbound route-map decides about them (``frr.fence``), it is allowed by name, or FRR sends
it nothing at all. Maps that FRR asks instead of the outbound one, and maps on the way to another table,
must decide as well.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_network
from typing import TYPE_CHECKING

from frrsync.core.frr_config import MARK
from frrsync.frr.fence import is_fence, keeps_back, rewrites
from frrsync.frr.lines import neighbor_of
from frrsync.frr.shared import FAMILY, ROUTER, header, implied_families, peers_of, vrf_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from frrsync.frr.tree import Tree

_LISTEN = "bgp listen range "
_EVPN = "address-family l2vpn evpn"
_INSTEAD = ("unsuppress-map", "advertise-map")
"""Maps of a neighbor that FRR asks instead of the outbound one: about a prefix that an aggregate suppresses, and
when it looks at a conditional advertisement (FRR 8.4 and 10.3)."""
_OTHER_POLICIES = frozenset({*_INSTEAD, "default-originate"})


def allowed_names(text: str) -> frozenset[str]:
    """Return the neighbors of ``--allow-neighbor`` as FRR writes them: addresses and ranges in the short form."""
    found = set()
    for name in filter(None, map(str.strip, text.split(","))):
        written = name
        with suppress(ValueError):
            network = ip_network(name)
            written = str(network) if "/" in name else str(network.network_address)
        found.add(written)
    return frozenset(found)


def exposed(whole: Tree, router: str, family: str, allowed: Collection[str], mine: Collection[str] = ()) -> list[str]:
    """Return a text for each neighbor that would see our prefixes of this family, with the lines that help.

    ``mine`` are neighbors of this instance that are ours, or will be.
    """
    return [
        place.complaint(peer, policy, family)
        for place in _places(whole, router, family)
        for peer in place.peers()
        if place.names(peer).isdisjoint(allowed)
        and not (place.is_of(router) and peer in mine)
        and (policy := place.open_map(peer)) is not None
    ]


def _places(whole: Tree, router: str, family: str) -> Iterator[_Instance]:
    """Yield the instances and families that routes of one family reach."""
    routers = {line: content for line, content in whole.items() if line.startswith(ROUTER)}
    own = next(line for line in routers if header(line) == router)
    name = family.removeprefix(FAMILY).partition(" ")[0]
    here = routers[own].get(family, {})
    yield _Instance(whole, own, family)
    yield _Instance(whole, own, f"{FAMILY}{name} labeled-unicast")
    exported = [_behind("route-map vpn export ", here)]
    import_vrf = f"import vrf {vrf_of(own) or 'default'}"
    importers = {line: content.get(family, {}) for line, content in routers.items() if line != own}
    if "export vpn" in here or any(import_vrf in content for content in importers.values()):
        yield from (_Instance(whole, line, f"{FAMILY}{name} vpn", exported) for line in routers if not vrf_of(line))
    for line, content in importers.items():
        if import_vrf in content or ("export vpn" in here and "import vpn" in content):
            imported = [_behind(words, content) for words in ("import vrf route-map ", "route-map vpn import ")]
            yield _Instance(whole, line, family, [*exported, *imported])
    advertised = [line for line in routers[own].get(_EVPN, {}) if line.startswith(f"advertise {name} unicast")]
    if advertised:
        way = [line.partition(" route-map ")[2] for line in advertised]
        yield from (_Instance(whole, line, _EVPN, way) for line in routers)


def _behind(words: str, family: Tree) -> str:
    return next((line.removeprefix(words) for line in family if line.startswith(words)), "")


class _Instance:
    """The operator's neighbors of one instance, as one address family sees them.

    ``way`` are route-maps through which our prefixes come there; empty texts do not count.
    """

    def __init__(self, whole: Tree, line: str, family: str, way: Collection[str] = ()) -> None:
        self._whole = whole
        self._way = tuple(filter(None, way))
        self._line = line
        self._family_line = family
        self._router = whole[line]
        self._family = self._router.get(family, {})
        self._is_implied = family in implied_families(self._router)
        self._groups = self._read_groups()

    def _read_groups(self) -> dict[str, str]:
        """Return the peer-group of every member; a listen range counts as a member of its own."""
        found: dict[str, str] = {}
        for line in self._router:
            words = line.split(" ")
            if words[-2:-1] != ["peer-group"]:
                continue
            if line.startswith(_LISTEN):
                found[f"range {words[3]}"] = words[-1]
            elif neighbor_of(line) and (len(words) == 4 or words[2] == "interface"):  # not a description
                found[words[1]] = words[-1]
        return found

    def is_of(self, router: str) -> bool:
        """Say whether this is an instance with this header."""
        return header(self._line) == router

    def peers(self) -> list[str]:
        """Return the operator's neighbors that are active in this family; peer-groups by their members."""
        ours = peers_of(self._router)
        groups = {words[1] for words in map(str.split, self._router) if words[2:] == ["peer-group"]}
        groups |= set(self._groups.values())
        named = dict.fromkeys([*map(neighbor_of, self._router), *self._groups])
        return [peer for peer in named if peer and peer not in ours | groups and self._is_active(peer)]

    def names(self, peer: str) -> set[str]:
        """Return the names by which a neighbor may be allowed."""
        return {peer, peer.removeprefix("range "), self._groups.get(peer, peer)}

    def open_map(self, peer: str) -> str | None:
        """Return the map that may let a neighbor see our prefixes, an empty text if it has none; None if fenced."""
        if self._is_shut(peer) or self._is_refused_by_default(peer):
            return None
        if any(keeps_back(name, self._whole) for name in self._way):
            return None
        outbound = self._map_of(peer, "route-map")
        if not outbound:
            return ""
        asked = [outbound, *(self._map_of(peer, kind) for kind in _INSTEAD)]
        stripping = (name for name in self._way if rewrites(name, self._whole))
        return next((name for name in asked if name and not is_fence(name, self._whole)), next(stripping, None))

    def _map_of(self, peer: str, kind: str) -> str:
        """Return a neighbor's outbound map of a kind, its own or its group's; empty for none."""
        for name in (peer, self._groups.get(peer, "")):
            for line in self._family:
                words = line.split(" ")
                if words[:3] == ["neighbor", name, kind] and (kind != "route-map" or words[-1] == "out"):
                    return words[3]
        return ""

    def complaint(self, peer: str, policy: str, family: str) -> str:
        """Return the reason, and the lines that keep our prefixes back."""
        group = self._groups.get(peer, "")
        name = policy or "FRRSYNC-DENY"
        add = [f"bgp large-community-list standard FRRSYNC seq 5 permit {MARK}"]
        if policy:
            number = self._first_number(policy) - 1
            add.append(f"route-map {name} deny {number} / match large-community FRRSYNC" if number else _RENUMBER)
        else:
            add += [
                f"route-map {name} deny 1 / match large-community FRRSYNC",
                f"route-map {name} permit 2",
                f"{self._line} / {self._family_line} / neighbor {group or peer} route-map {name} out",
            ]
        who = f"neighbor {peer} (peer-group {group})" if group else f"neighbor {peer}"
        return (
            f"{who} of {self._line!r} would be sent our prefixes, so none of {family.removeprefix(FAMILY)} is "
            f"announced; add {', '.join(map(repr, add))} to keep them back, the same with 'permit' to let them "
            f"through, or set --allow-neighbor {group or peer.removeprefix('range ')}"
        )

    def _first_number(self, policy: str) -> int:
        found = [line.split(" ") for line in self._whole if line.startswith(f"route-map {policy} ")]
        return min((int(words[3]) for words in found), default=2)

    def _is_active(self, peer: str) -> bool:
        group = self._groups.get(peer)
        if f"neighbor {peer} activate" in self._family:
            return True
        if f"no neighbor {peer} activate" in self._family:
            return False
        if group is not None:
            if f"no neighbor {group} activate" in self._family:
                return False
            return self._is_implied or f"neighbor {group} activate" in self._family
        return self._is_implied

    def _said(self, peer: str, words: str) -> str:
        """Return what a neighbor or its group says behind these words; empty for nothing."""
        for name in (peer, self._groups.get(peer, "")):
            for line in self._router:
                starts = ("", "interface ", "interface v6only ")
                for start in (f"neighbor {name} {before}{words}" for before in starts):
                    if line == start or line.startswith(start + " "):
                        return line.removeprefix(start).strip() or words
        return ""

    def _is_shut(self, peer: str) -> bool:
        """Say whether there is no session; ``shutdown rtt`` ends only one that is slow."""
        return self._said(peer, "shutdown").partition(" ")[0] in {"shutdown", "message"}

    def _is_refused_by_default(self, peer: str) -> bool:
        """Say whether FRR sends an eBGP neighbor nothing for want of any outbound policy (RFC 8212)."""
        if not self._family_line.endswith((" ipv4 unicast", " ipv6 unicast")):
            return False
        if "frr defaults traditional" not in self._whole:
            is_required = "bgp ebgp-requires-policy" in self._router
        else:
            is_required = "no bgp ebgp-requires-policy" not in self._router
        remote = self._said(peer, "remote-as")
        own = header(self._line).split(" ")[2]
        is_plain = not self._said(peer, "local-as") and not any("confederation" in line for line in self._router)
        is_external = remote == "external" or (remote.isdigit() and remote != own)
        return is_required and is_plain and is_external and not self._has_policy(peer)

    def _has_policy(self, peer: str) -> bool:
        names = {peer, self._groups.get(peer, peer)}
        said = [line.split(" ") for line in self._family if neighbor_of(line) in names]
        return any(words[-1] == "out" or words[2] in _OTHER_POLICIES for words in said)


_RENUMBER = "route-map entry that denies the mark, numbered before the first one (renumber that)"
