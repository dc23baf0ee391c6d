"""What runs against what is wanted: the plan that leads from one to the other.

The order keeps sessions up and routes in place (measured on FRR 8.4 and 10.3):

1. what nobody uses yet: global lines, lists, BFD profiles, class maps, outbound maps, each complete;
2. instances and neighbors that go for others of the same VRF or name, and neighbors that go for good;
3. lines of instances and of neighbors that stay, those that cost the session in one bracket;
4. neighbors leave families; prefixes and outbound maps of neighbors that stay, as ``frr.policy`` says;
5. neighbors that come: shut down first, opened when they are complete, after the prefixes;
6. what nobody uses any more, instances that go for good among it: while another one imports its VRF, FRR would
   make such an instance again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr import bfd_commands, global_commands, map_commands, neighbor
from frrsync.frr.lines import (
    creates_neighbor,
    instance_key,
    needs_bracket,
    negation,
    neighbor_of,
    resets_instance,
    resets_session,
)
from frrsync.frr.plan import Command, Daemon, Plan, Reset
from frrsync.frr.policy import RouteMaps, read_instance, steps

if TYPE_CHECKING:
    from frrsync.frr.policy import Instance, Steps
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


def _peers(router: Tree) -> list[str]:
    """Return the neighbors and peer-groups of an instance, in order."""
    return [peer for peer in dict.fromkeys(neighbor_of(line) for line in router) if peer]


def _names_group(line: str) -> bool:
    """Say whether this is a line of an instance that wants a peer-group to be there before."""
    return " peer-group " in line and not neighbor_of(line)


def _without_common_networks(router: Tree, other: Tree) -> Tree:
    """Return an instance without the prefixes that the other state has too, so that each is looked at once."""
    found: Tree = {}
    for line, content in router.items():
        known = other.get(line, {}) if line.startswith(_FAMILY) else {}
        found[line] = (
            {item: below for item, below in content.items() if item not in known or not item.startswith("network ")}
            if known
            else content
        )
    return found


class _Planner:
    """Collects the commands of one plan, step by step."""

    def __init__(self, running: Tree, desired: Tree) -> None:
        self._running = running
        self._desired = desired
        self._old_maps = RouteMaps.read(running)
        self._new_maps = RouteMaps.read(desired)
        self._temporary: list[str] = []
        self._closed: list[str] = []
        self.commands: list[Command] = []
        self.resets: list[Reset] = []

    def plan(self) -> None:
        """Collect everything in the order of the module's text."""
        routers = [line for line in self._desired if _is_router(line)]
        gone = [line for line in self._running if _is_router(line) and line not in self._desired]
        replaced = [line for line in gone if self._successors(line)]
        self.commands.extend(global_commands.additions(self._running, self._desired))
        self.commands.extend(bfd_commands.additions(self._running, self._desired))
        self.commands.extend(map_commands.additions(self._old_maps.entries, self._new_maps.entries))
        for line in replaced:
            self._replace_router(line)
        for line in routers:
            self._router(line)
        self._send((), *(f"no {line}" for line in gone if line not in replaced))
        self._map_removals()
        self.commands.extend(bfd_commands.removals(self._running, self._desired))
        self.commands.extend(global_commands.removals(self._running, self._desired))

    def _send(self, context: tuple[str, ...], *lines: str) -> None:
        self.commands.extend(Command(Daemon.BGPD, context, line) for line in lines)

    # route-maps

    def _map_removals(self) -> None:
        # sorted: FRR 8.4 prints maps in the order of their creation, and a plan is the same wherever it is made
        unused = sorted(name for name in self._old_maps.entries if name not in self._new_maps.entries)
        self.commands.extend(map_commands.remove(name) for name in [*unused, *self._temporary])

    # BGP instances

    def _successors(self, line: str) -> list[str]:
        """Return the wanted instances for the VRF of this one; FRR allows one at a time."""
        return [router for router in self._desired if _is_router(router) and _vrf(router) == _vrf(line)]

    def _replace_router(self, line: str) -> None:
        """Take back an instance whose VRF gets another; neighbors that both have lose their session."""
        self._send((), f"no {line}")
        staying = {peer for router in self._successors(line) for peer in _peers(self._desired[router])}
        self.resets.extend(Reset(peer, f"no {line}") for peer in _peers(self._running[line]) if peer in staying)

    def _router(self, line: str) -> None:
        wanted = self._desired[line]
        have = self._running.get(line, {})
        if have == wanted and line in self._running:
            return
        context = (line,)
        complete = (have, wanted)
        have, wanted = _without_common_networks(have, wanted), _without_common_networks(wanted, have)
        costs = {peer: neighbor.made_otherwise(peer, have, wanted) for peer in _peers(have) if peer in _peers(wanted)}
        staying = [peer for peer, reason in costs.items() if not reason]
        # Members before their peer-group, which FRR prints first and which would take them with it.
        gone = [peer for peer in reversed(_peers(have)) if peer not in staying]
        cause = self._instance_lines(context, have, wanted, gone)
        have = self._without(have, gone)
        for peer in staying:
            reason = self._changed_neighbor(context, peer, have, wanted)
            costs[peer] = cause or reason
        self.resets.extend(Reset(peer, reason) for peer, reason in costs.items() if reason)
        have = self._leave_families(context, have, wanted)
        self._prefixes(context, read_instance(have, wanted, complete[0]), read_instance(wanted, have, complete[1]))
        self._family_lines(context, have, wanted, set(staying))
        self._send(context, *(f"no neighbor {peer} shutdown" for peer in self._closed))
        self._closed.clear()
        for peer in _peers(wanted):
            if peer not in staying:
                self._new_neighbor(context, peer, wanted)
        self._send(context, *(item for item in wanted if item not in have and _names_group(item)))
        if not wanted and line not in self._running:
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

    def _instance_lines(self, context: tuple[str, ...], have: Tree, wanted: Tree, gone: list[str]) -> str:
        """Change what is no neighbor's and take back neighbors; returns the line that costs every session, if any."""

        def own(tree: Tree) -> list[str]:
            return [line for line in tree if not neighbor_of(line) and not line.startswith(_FAMILY)]

        changed = [line for line in own(wanted) if line not in have]
        keys = {instance_key(line) for line in changed}
        removed = [line for line in own(have) if line not in wanted and instance_key(line) not in keys]
        added = [line for line in changed if not _names_group(line)]
        # Without this line first, FRR would activate every neighbor that follows for IPv4.
        added.sort(key=lambda line: line != "no bgp default ipv4-unicast")
        self._send(context, *(negation(line) for line in removed))
        self._send(context, *(f"no neighbor {peer}" for peer in gone))
        self._send(context, *added)
        return next((line for line in (*changed, *removed) if resets_instance(line)), "") if have else ""

    # neighbors

    def _changed_neighbor(self, context: tuple[str, ...], peer: str, have: Tree, wanted: Tree) -> str:
        """Change what a neighbor has outside of families; returns the lines that cost its session, if any."""
        lines = neighbor.changes(peer, have, wanted)
        costly = [line for line in lines if resets_session(line)]
        below = neighbor.costs_below(peer, have, wanted)
        bracket = len(costly) > 1 or any(needs_bracket(line) for line in costly) or (costly and below)
        if bracket and not neighbor.stays_down(peer, wanted):
            self._send(context, f"neighbor {peer} shutdown", *lines)
            if below:  # its families change while it is down: 10.3 would end the new session once more
                self._closed.append(peer)
            else:
                self._send(context, f"no neighbor {peer} shutdown")
        else:
            self._send(context, *lines)
        # A password goes last: whoever hides it hides the rest of the text as well.
        return "; ".join(sorted([*costly, *below], key=lambda line: " password " in line))

    def _new_neighbor(self, context: tuple[str, ...], peer: str, wanted: Tree) -> None:
        """Bring up a neighbor so that it opens one session, complete, and nothing leaks before its maps stand."""
        own = [line for line in wanted if neighbor_of(line) == peer]
        first = next((line for line in own if creates_neighbor(line)), own[0])  # FRR refuses one without remote-as
        down = f"neighbor {peer} shutdown"
        self._send(context, first, down, *(line for line in own if line not in (first, down)))
        for family, content in wanted.items():
            lines = [line for line in content if neighbor_of(line) == peer]
            lines.sort(key=lambda line: line.endswith(" activate"))
            self._send((*context, family), *lines)
        if not neighbor.stays_down(peer, wanted):
            self._send(context, f"no {down}")

    # prefixes, and lines of families

    def _prefixes(self, context: tuple[str, ...], before: Instance, after: Instance) -> None:
        if (before.networks, before.outbound) == (after.networks, after.outbound):
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
            if name in self._temporary:
                continue
            self.commands.extend(map_commands.make_entry(name, "permit", 10, (f"set tag {tag}",)))
            self._temporary.append(name)
        used = {name for pointing, _ in way.moves for name in pointing.values()}
        for name, entries in way.maps.items():
            if name not in used or name in self._temporary:
                continue
            for number, content in enumerate(entries, 1):
                self.commands.extend(map_commands.make_entry(name, "permit", number, content))
            self.commands.extend(map_commands.make_entry(name, "deny", 65535, ()))
            self._temporary.append(name)

    def _leave_families(self, context: tuple[str, ...], have: Tree, wanted: Tree) -> Tree:
        """Take neighbors out of families before prefixes move there; returns what is left."""
        left = dict(have)
        for family, content in have.items():
            if not family.startswith(_FAMILY):
                continue
            staying = {line.removesuffix(" activate") for line in content if line.endswith(" activate")}
            leaving = {line + " " for line in staying if f"{line} activate" not in wanted.get(family, {})}
            gone = [line for line in content if leaving and line.startswith(tuple(leaving))]
            gone.sort(key=lambda line: not line.endswith(" activate"))
            self._send((*context, family), *(negation(line) for line in gone))
            if gone:
                left[family] = {line: {} for line in content if line not in gone}
        return left

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
            self._send((*context, family), *(negation(line) for line in removed), *added)
