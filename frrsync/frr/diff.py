"""What runs against what is wanted: the plan that leads from one to the other.

The order keeps sessions up and routes in place (measured on FRR 8.4 and 10.3):

1. what nobody uses yet: global lines, lists, BFD profiles, class maps, outbound maps, each complete;
2. neighbors and instances that go;
3. lines of instances and of neighbors that stay, those that cost the session in one bracket;
4. prefixes and outbound maps of neighbors that stay, as ``frr.policy`` says;
5. neighbors that come: shut down first, opened when they are complete, after the prefixes;
6. what nobody uses any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr.lines import (
    bfd_key,
    bfd_negation,
    instance_key,
    negation,
    neighbor_of,
    resets_instance,
    resets_session,
)
from frrsync.frr.plan import Command, Daemon, Plan, Reset
from frrsync.frr.policy import RouteMaps, read_instance, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from frrsync.frr.policy import Steps
    from frrsync.frr.tree import Tree

_FAMILY = "address-family "


def make_plan(running: Tree, desired: Tree) -> Plan:
    """Return the commands that turn one managed configuration into the other; empty if they are equal."""
    if running == desired:
        return Plan()
    planner = _Planner(running, desired)
    planner.plan()
    return Plan(commands=tuple(planner.commands), resets=tuple(planner.resets))


def _is_router(line: str) -> bool:
    return line.startswith("router bgp ")


def _vrf(line: str) -> str:
    return line.partition(" vrf ")[2]


class _Planner:
    """Collects the commands of one plan, step by step."""

    def __init__(self, running: Tree, desired: Tree) -> None:
        self._running = running
        self._desired = desired
        self._old_maps = RouteMaps.read(running)
        self._new_maps = RouteMaps.read(desired)
        self._temporary: list[str] = []
        self.commands: list[Command] = []
        self.resets: list[Reset] = []

    def plan(self) -> None:
        """Collect everything in the order of the module's text."""
        routers = [line for line in self._desired if _is_router(line)]
        gone = [line for line in self._running if _is_router(line) and line not in self._desired]
        self._global_additions()
        self._bfd_additions()
        self._map_additions()
        for line in gone:
            self._remove_router(line, {_vrf(router) for router in routers})
        for line in routers:
            self._router(line)
        self._map_removals()
        self._bfd_removals()
        self._global_removals()

    def _send(self, context: tuple[str, ...], *lines: str, daemon: Daemon = Daemon.BGPD) -> None:
        self.commands.extend(Command(daemon, context, line) for line in lines)

    # global lines: lists of templates, the delay timer, next-hop tracking

    def _plain(self, tree: Tree) -> Iterator[tuple[str, Daemon]]:
        for line, content in tree.items():
            if not content and line != "bfd" and not line.startswith(("route-map ", "router bgp ")):
                yield line, Daemon.ZEBRA if " nht " in line else Daemon.BGPD

    def _global_additions(self) -> None:
        for line, daemon in self._plain(self._desired):
            if line not in self._running:
                self._send((), line, daemon=daemon)

    def _global_removals(self) -> None:
        added = {line.rpartition(" ")[0] for line, _ in self._plain(self._desired) if line not in self._running}
        for line, daemon in self._plain(self._running):
            replaced = line.startswith("bgp route-map delay-timer") and line.rpartition(" ")[0] in added
            if line not in self._desired and not replaced:
                self._send((), negation(line) if line.startswith("no ") else f"no {line}", daemon=daemon)

    # BFD profiles

    def _bfd_additions(self) -> None:
        if "bfd" not in self._desired:
            return
        running = self._running.get("bfd", {})
        if not self._desired["bfd"] and "bfd" not in self._running:
            self._send(("bfd",), "", daemon=Daemon.BFDD)
        for profile, wanted in self._desired["bfd"].items():
            have = running.get(profile)
            context = ("bfd", profile)
            if have is None and not wanted:
                self._send(context, "", daemon=Daemon.BFDD)
                continue
            wanted_keys = {bfd_key(line) for line in wanted}
            leaving = [line for line in have or {} if line not in wanted and bfd_key(line) not in wanted_keys]
            self._send(context, *(bfd_negation(line) for line in leaving), daemon=Daemon.BFDD)
            self._send(context, *(line for line in wanted if line not in (have or {})), daemon=Daemon.BFDD)

    def _bfd_removals(self) -> None:
        if "bfd" in self._running and "bfd" not in self._desired:
            self._send((), "no bfd", daemon=Daemon.BFDD)
            return
        for profile in self._running.get("bfd", {}):
            if profile not in self._desired.get("bfd", {}):
                self._send(("bfd",), f"no {profile}", daemon=Daemon.BFDD)

    # route-maps

    def _map_additions(self) -> None:
        for name, entries in self._new_maps.entries.items():
            old = self._old_maps.entries.get(name)
            if old is None:
                for (number, action), content in entries.items():
                    self._map_entry(f"route-map {name} {action} {number}", content)
            elif old != entries:
                self._repair_map(name, dict(old), entries)

    def _map_entry(self, line: str, content: Iterable[str]) -> None:
        lines = tuple(content)
        self._send((line,), *(lines or ("",)))

    def _repair_map(
        self, name: str, old: dict[tuple[int, str], tuple[str, ...]], new: dict[tuple[int, str], tuple[str, ...]]
    ) -> None:
        """Mend a map in place that somebody changed behind our back.

        An entry denies until all of its lines stand: a permit without its match lets everything through.
        """
        kept = {number for number, _ in new}
        for (number, action), content in new.items():
            if old.get((number, action)) == content:
                continue
            before = next((lines for (other, _), lines in old.items() if other == number), ())
            closed = f"route-map {name} deny {number}"
            keys = {line.rpartition(" ")[0] for line in content}
            stale = [line for line in before if line not in content and line.rpartition(" ")[0] not in keys]
            lines = [*(f"no {line}" for line in stale), *(line for line in content if line not in before)]
            self._map_entry(closed, lines)
            if action == "permit":
                self._map_entry(f"route-map {name} permit {number}", ())
        for number, action in old:
            if number not in kept:
                self._send((), f"no route-map {name} {action} {number}")

    def _map_removals(self) -> None:
        unused = [name for name in self._old_maps.entries if name not in self._new_maps.entries]
        for name in [*unused, *self._temporary]:
            self._send((), f"no route-map {name}")

    # BGP instances

    def _remove_router(self, line: str, vrfs_wanted: set[str]) -> None:
        self._send((), f"no {line}")
        if _vrf(line) in vrfs_wanted:
            peers = {neighbor_of(item) for item in self._running[line]} - {""}
            self.resets.extend(Reset(peer, f"{line} goes") for peer in sorted(peers))

    def _router(self, line: str) -> None:
        wanted = self._desired[line]
        have = self._running.get(line, {})
        if have == wanted and line in self._running:
            return
        context = (line,)
        peers = list(dict.fromkeys(neighbor_of(item) for item in wanted))
        old_peers = list(dict.fromkeys(neighbor_of(item) for item in have))
        new_peers = [peer for peer in peers if peer and peer not in old_peers]
        gone = [peer for peer in old_peers if peer and peer not in peers]
        self._send(context, *(f"no neighbor {peer}" for peer in gone))
        self._instance_lines(context, have, wanted)
        for peer in peers:
            if peer and peer in old_peers:
                self._changed_neighbor(context, peer, have, wanted)
        staying = {peer for peer in peers if peer in old_peers}
        self._prefixes(context, self._without(have, gone), wanted)
        self._family_lines(context, self._without(have, gone), wanted, staying)
        for peer in new_peers:
            self._new_neighbor(context, peer, wanted)
        if not self._desired[line] and line not in self._running:
            self._send(context, "")

    def _without(self, router: Tree, peers: list[str]) -> Tree:
        """Return the tree of an instance after ``no neighbor`` for these peers."""
        if not peers:
            return router
        gone = set(peers)
        return {
            line: {item: {} for item in content if neighbor_of(item) not in gone} if content else {}
            for line, content in router.items()
            if neighbor_of(line) not in gone
        }

    def _instance_lines(self, context: tuple[str, ...], have: Tree, wanted: Tree) -> None:
        def own(tree: Tree) -> list[str]:
            return [line for line in tree if not neighbor_of(line) and not line.startswith(_FAMILY)]

        added = [line for line in own(wanted) if line not in have]
        keys = {instance_key(line) for line in added}
        removed = [line for line in own(have) if line not in wanted and instance_key(line) not in keys]
        # Without this line first, FRR would activate every neighbor that follows for IPv4.
        added.sort(key=lambda line: line != "no bgp default ipv4-unicast")
        self._send(context, *(negation(line) for line in removed), *added)
        if have and any(resets_instance(line) for line in (*added, *removed)):
            cause = next(line for line in (*added, *removed) if resets_instance(line))
            peers = {neighbor_of(line) for line in have} & {neighbor_of(line) for line in wanted}
            self.resets.extend(Reset(peer, cause) for peer in sorted(peers - {""}))

    # neighbors

    def _changed_neighbor(self, context: tuple[str, ...], peer: str, have: Tree, wanted: Tree) -> None:
        lines = _neighbor_changes(peer, have, wanted)
        costly = [line for line in lines if resets_session(line.removeprefix("no "))]
        family_costs = self._activation_changes(peer, have, wanted)
        bracket = len(costly) > 1 or (costly and family_costs)
        if bracket:
            self._send(context, f"neighbor {peer} shutdown")
        self._send(context, *lines)
        if bracket:
            self._send(context, f"no neighbor {peer} shutdown")
        if costly or family_costs:
            self.resets.append(Reset(peer, (costly or family_costs)[0]))

    def _activation_changes(self, peer: str, have: Tree, wanted: Tree) -> list[str]:
        line = f"neighbor {peer} activate"
        families = {family for family in (*have, *wanted) if family.startswith(_FAMILY)}
        return [
            f"{family}: {line}"
            for family in sorted(families)
            if (line in have.get(family, {})) != (line in wanted.get(family, {}))
        ]

    def _new_neighbor(self, context: tuple[str, ...], peer: str, wanted: Tree) -> None:
        """Bring up a neighbor so that it opens one session, complete, and nothing leaks before its maps stand."""
        own = [line for line in wanted if neighbor_of(line) == peer]
        first = next(line for line in own if " remote-as " in line)
        down = f"neighbor {peer} shutdown"
        self._send(context, first, down, *(line for line in own if line not in (first, down)))
        for family, content in wanted.items():
            lines = [line for line in content if neighbor_of(line) == peer]
            lines.sort(key=lambda line: line.endswith(" activate"))
            self._send((*context, family), *lines)
        if down not in own:
            self._send(context, f"no {down}")

    # prefixes, and lines of families

    def _prefixes(self, context: tuple[str, ...], have: Tree, wanted: Tree) -> None:
        before, after = read_instance(have, wanted), read_instance(wanted, have)
        if before == after:
            return
        way = steps(before, after, self._old_maps, self._new_maps)
        self._make_temporary(way)
        for family, prefix in way.withdraw_first:
            self._send((*context, family), f"no network {prefix}")
        for pointing, networks in way.moves:
            for (family, peer), name in pointing.items():
                self._send((*context, family), f"neighbor {peer} route-map {name} out")
            for (family, prefix), name in networks.items():
                self._send((*context, family), f"network {prefix} route-map {name}" if name else f"network {prefix}")
        for family, prefix in way.withdraw:
            self._send((*context, family), f"no network {prefix}")

    def _make_temporary(self, way: Steps) -> None:
        """Create the maps that live during the change; those that are already there serve as they are."""
        for name, tag in way.classes.items():
            self._map_entry(f"route-map {name} permit 10", (f"set tag {tag}",))
            self._temporary.append(name)
        used = {name for pointing, _ in way.moves for name in pointing.values()}
        for name, entries in way.maps.items():
            if name not in used or name in self._temporary:
                continue
            for number, content in enumerate(entries, 1):
                self._map_entry(f"route-map {name} permit {number}", content)
            self._map_entry(f"route-map {name} deny 65535", ())
            self._temporary.append(name)

    def _family_lines(self, context: tuple[str, ...], have: Tree, wanted: Tree, staying: set[str]) -> None:
        """Send what is neither prefix nor outbound map of a neighbor that had one; activation comes last."""
        families = [line for line in dict.fromkeys((*have, *wanted)) if line.startswith(_FAMILY)]
        for family in families:
            old, new = have.get(family, {}), wanted.get(family, {})
            appearing = [line for line in new if line not in old and not line.startswith("network ")]
            leaving = [line for line in old if line not in new and not line.startswith("network ")]
            outbound = {instance_key(line) for line in old if line.endswith(" out") and " route-map " in line}
            added = [
                line
                for line in appearing
                if (neighbor_of(line) in staying and instance_key(line) not in outbound) or not neighbor_of(line)
            ]
            keys = {instance_key(line) for line in appearing}
            removed = [line for line in leaving if instance_key(line) not in keys]
            added.sort(key=lambda line: line.endswith(" activate"))
            removed.sort(key=lambda line: not line.endswith(" activate"))
            self._send((*context, family), *(negation(line) for line in removed), *added)


def _neighbor_changes(peer: str, have: Tree, wanted: Tree) -> list[str]:
    """Return the lines that change a neighbor's own settings; a family's lines are not among them."""
    old = [line for line in have if neighbor_of(line) == peer]
    new = [line for line in wanted if neighbor_of(line) == peer]
    added = [line for line in new if line not in old]
    keys = {instance_key(line) for line in added}
    removed = [line for line in old if line not in new and instance_key(line) not in keys]
    plain_bfd = f"neighbor {peer} bfd"
    if plain_bfd in removed:
        # Takes every BFD line of the neighbor with it, and "no ... bfd profile" would leave the plain one.
        removed = [line for line in removed if not line.startswith(plain_bfd + " ")]
    return [*(negation(line) for line in removed), *added]
