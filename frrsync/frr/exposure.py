"""Which neighbors of an operator's could be sent our prefixes by accident. Pure.

A neighbor is looked at if routes of our address family reach it: in the family itself, in labeled unicast,
which shares its table, and where the operator exports it to (VPN, another VRF, EVPN). It may not see our
prefixes unless its outbound route-map decides about them (``frr.fence``), it is allowed by name, or FRR sends
it nothing at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.frr_config import MARK
from frrsync.frr.fence import is_fence
from frrsync.frr.lines import neighbor_of
from frrsync.frr.shared import FAMILY, ROUTER, header, implied_families, peers_of, vrf_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from frrsync.frr.tree import Tree

_LISTEN = "bgp listen range "
_EVPN = "address-family l2vpn evpn"
_OTHER_POLICIES = frozenset({"unsuppress-map", "advertise-map", "default-originate"})


def exposed(whole: Tree, router: str, family: str, allowed: Collection[str]) -> list[str]:
    """Return a text for each neighbor that would see our prefixes of this family, with the lines that help."""
    instances = [_Instance(whole, line, place) for line, place in _places(whole, router, family)]
    return [
        instance.complaint(peer, family)
        for instance in instances
        for peer in instance.peers()
        if not instance.names(peer) & set(allowed) and instance.sees_ours(peer)
    ]


def _places(whole: Tree, router: str, family: str) -> Iterator[tuple[str, str]]:
    """Yield the instances and families that routes of one family reach."""
    routers = {line: content for line, content in whole.items() if line.startswith(ROUTER)}
    default = next((line for line in routers if not vrf_of(line)), None)
    own = next(line for line in routers if header(line) == router)
    name = family.removeprefix(FAMILY).partition(" ")[0]
    yield own, family
    yield own, f"{FAMILY}{name} labeled-unicast"
    exports = "export vpn" in routers[own].get(family, {})
    if exports and default is not None:
        yield default, f"{FAMILY}{name} vpn"
    imports = {f"import vrf {vrf_of(own) or 'default'}"} | ({"import vpn"} if exports else set())
    for line, content in routers.items():
        if line != own and imports & content.get(family, {}).keys():
            yield line, family
    if any(line.startswith(f"advertise {name} unicast") for line in routers[own].get(_EVPN, {})):
        yield default or own, _EVPN


class _Instance:
    """The operator's neighbors of one instance, as one address family sees them."""

    def __init__(self, whole: Tree, line: str, family: str) -> None:
        self._whole = whole
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
            if "peer-group" in words[2:-1]:
                group = words[words.index("peer-group") + 1]
                if line.startswith(_LISTEN):
                    found[f"range {words[3]}"] = group
                elif neighbor_of(line):
                    found[words[1]] = group
        return found

    def peers(self) -> list[str]:
        """Return the operator's neighbors that are active in this family; peer-groups by their members."""
        ours = peers_of(self._router)
        groups = {neighbor_of(line) for line in self._router if line.endswith(" peer-group")} | set(
            self._groups.values()
        )
        named = dict.fromkeys([*map(neighbor_of, self._router), *self._groups])
        return [peer for peer in named if peer and peer not in ours | groups and self._is_active(peer)]

    def names(self, peer: str) -> set[str]:
        """Return the names by which a neighbor may be allowed."""
        return {peer, peer.removeprefix("range "), self._groups.get(peer, peer)}

    def sees_ours(self, peer: str) -> bool:
        """Say whether nothing keeps our prefixes from a neighbor."""
        if self._is_shut(peer) or self._is_refused_by_default(peer):
            return False
        policy = self.outbound_map(peer)
        return not policy or not is_fence(policy, self._whole)

    def outbound_map(self, peer: str) -> str:
        """Return the outbound route-map of a neighbor, its own or its group's; empty for none."""
        for name in (peer, self._groups.get(peer, "")):
            words = f"neighbor {name} route-map "
            for line in self._family:
                if line.startswith(words) and line.endswith(" out"):
                    return line.removeprefix(words).removesuffix(" out")
        return ""

    def complaint(self, peer: str, family: str) -> str:
        """Return the reason, and the lines that keep our prefixes back."""
        policy = self.outbound_map(peer)
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
                for start in (f"neighbor {name} {words}", f"neighbor {name} interface {words}"):
                    if line == start or line.startswith(start + " "):
                        return line.removeprefix(start).strip() or words
        return ""

    def _is_shut(self, peer: str) -> bool:
        return bool(self._said(peer, "shutdown"))

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
