"""What route-maps mean, and how prefixes move from one meaning to another without a leak.

FRR applies lines one by one, and it may send updates between any two of them. So while prefixes change their
class and neighbors change their outbound map, no prefix may ever stand in a class that a neighbor's map lets
through although that neighbor was neither meant to see the prefix before nor afterwards; and no prefix that
it is meant to see before and afterwards may be without an entry. The sequence that keeps both promises:

1. withdraw prefixes that leave and whose class is about to get another meaning;
2. park prefixes that leave such a class for another one in a *transit* class, which already has their final
   attributes, behind outbound maps that otherwise still mean what they did;
3. point the neighbors at maps that know the final classes and those that are still in use;
4. add and move prefixes;
5. point the neighbors at the final maps;
6. withdraw the prefixes that leave.

Steps without content are left out; usually that leaves one of 4 and 6, or 5 alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.frr.tree import Tree

Entry = tuple[str, ...]
"""The lines of one permit entry, in the order of the configuration."""

FamilyPrefix = tuple[str, str]
"""An ``address-family ...`` line and a prefix."""

FamilyNeighbor = tuple[str, str]
"""An ``address-family ...`` line and a neighbor."""

_NOT_OURS = ""


@dataclass(slots=True)
class Instance:
    """What one BGP instance announces, as far as it differs from another state of the same instance.

    Attributes:
        networks: the class map of every prefix whose line the other state does not have.
        outbound: the outbound map of every neighbor in every family.
        families: the contexts of the whole instance.

    """

    networks: dict[FamilyPrefix, str] = field(default_factory=dict)
    outbound: dict[FamilyNeighbor, str] = field(default_factory=dict)
    families: tuple[tuple[str, Tree], ...] = ()

    def classes(self) -> set[str]:
        """Return the class maps of all prefixes; looks at every line."""
        return {
            line.rpartition(" ")[2]
            for family, content in self.families
            if family.startswith("address-family ")
            for line in content
            if line.startswith("network ")
        }


def read_instance(router: Tree, other: Tree, complete: Tree | None = None) -> Instance:
    """Read networks and outbound maps from the tree below a ``router bgp`` line.

    ``complete`` has all prefixes where ``router`` has only those that the other state lacks.
    """
    instance = Instance(families=tuple((router if complete is None else complete).items()))
    for family, content in router.items():
        if not family.startswith("address-family "):
            continue
        known = other.get(family, {})
        for line in content:
            if line.startswith("network "):
                if line not in known:
                    _, prefix, *rest = line.split(" ")
                    instance.networks[family, prefix] = rest[1] if len(rest) == 2 else _NOT_OURS
            elif line.startswith("neighbor ") and line.endswith(" out") and " route-map " in line:
                _, peer, _, name, _ = line.split(" ")
                instance.outbound[family, peer] = name
    return instance


@dataclass(slots=True)
class RouteMaps:
    """The route-maps of one configuration, by what they mean.

    Attributes:
        entries: for each map, sequence number and action, the lines of the entry.

    """

    entries: dict[str, dict[tuple[int, str], Entry]] = field(default_factory=dict)
    _by_tag: dict[str, dict[str, Entry]] = field(default_factory=dict)

    @classmethod
    def read(cls, tree: Tree) -> RouteMaps:
        """Read every ``route-map NAME ACTION NUMBER`` of a tree."""
        maps = cls()
        for line, content in tree.items():
            if line.startswith("route-map "):
                _, name, action, number = line.split(" ")
                maps.entries.setdefault(name, {})[int(number), action] = tuple(content)
        return maps

    def tag(self, class_map: str) -> str:
        """Return the tag that a class map sets; the name of the map where it sets none."""
        for content in self.entries.get(class_map, {}).values():
            for line in content:
                if line.startswith("set tag "):
                    return line.removeprefix("set tag ")
        return f"map {class_map}"

    def by_tag(self, name: str) -> dict[str, Entry]:
        """Return the entries of an outbound map by the tag that each matches.

        An entry of another form, from a template of the operator's, stands under its number.
        """
        if name not in self._by_tag:
            found: dict[str, Entry] = {}
            for (number, action), content in sorted(self.entries.get(name, {}).items()):
                if action == "permit":
                    match = next((line for line in content if line.startswith("match tag ")), f"entry {number}")
                    found.setdefault(match.removeprefix("match tag "), content)
            self._by_tag[name] = found
        return self._by_tag[name]

    def has_tags_only(self, name: str) -> bool:
        """Say whether a map has our form: permits by tag, then one deny."""
        entries = self.entries.get(name, {})
        return all(
            any(line.startswith("match tag ") for line in content) if action == "permit" else not content
            for (_, action), content in entries.items()
        )


@dataclass(slots=True)
class Steps:
    """The way from one instance to another, in the order of the module's text.

    Attributes:
        maps: the maps that exist during the change only, by name, as entry lines in order.
        classes: the class maps that exist during the change only, with their tags.
        moves: pairs of new outbound maps and network lines, applied one after the other.

    """

    withdraw_first: list[FamilyPrefix] = field(default_factory=list)
    maps: dict[str, list[Entry]] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    moves: list[tuple[dict[FamilyNeighbor, str], dict[FamilyPrefix, str]]] = field(default_factory=list)
    withdraw: list[FamilyPrefix] = field(default_factory=list)


def steps(before: Instance, after: Instance, old: RouteMaps, new: RouteMaps) -> Steps:
    """Return the way from what runs to what is wanted; neighbors that come or go are not part of it."""
    return _Transition(before, after, old, new).steps()


class _Transition:
    """The working state of ``steps``: what runs at each point of the change."""

    def __init__(self, before: Instance, after: Instance, old: RouteMaps, new: RouteMaps) -> None:
        self._before, self._after = before, after
        self._new_networks = after.networks
        self._old_networks = dict(before.networks)
        self._pairs = {
            pair: (before.outbound[pair], name) for pair, name in after.outbound.items() if pair in before.outbound
        }
        self._old, self._new = old, new
        self._result = Steps()

    def steps(self) -> Steps:
        """Return the steps."""
        if all(
            before == after and self._old.entries.get(before) == self._new.entries.get(after)
            for before, after in self._pairs.values()
        ):
            return self._under_the_same_maps()
        old_tags = {key: self._old.tag(name) for key, name in self._old_networks.items()}
        new_tags = {key: self._new.tag(name) for key, name in self._new_networks.items()}
        used = {self._new.tag(name) for name in self._after.classes()}
        # A map may know a class that no prefix has any more: it says what happens to those that still leave.
        used.update(tag for _, name in self._pairs.values() for tag in self._new.by_tag(name))
        changed = self._changed({self._old.tag(name) for name in self._before.classes()} & used)
        leaving = [key for key in self._old_networks if key not in new_tags]
        self._result.withdraw_first = [key for key in leaving if old_tags[key] in changed]
        self._result.withdraw = [key for key in leaving if old_tags[key] not in changed]
        risky = [key for key, tag in old_tags.items() if tag in changed and new_tags.get(key, tag) != tag]
        transit = self._park(risky, new_tags) if risky else {}
        still_used = {
            tag for key, tag in old_tags.items() if tag not in used and key not in self._result.withdraw_first
        }
        self._finish(used, still_used | set(transit.values()), transit)
        return self._result

    def _under_the_same_maps(self) -> Steps:
        """Return the steps where no class changes its meaning: one line a prefix, and no look at the others."""
        self._result.moves.append(({}, self._new_networks))
        self._result.withdraw = [key for key in self._old_networks if key not in self._new_networks]
        return self._result

    def _changed(self, shared: set[str]) -> set[str]:
        """Return the tags in use before and after that some neighbor will see differently."""
        return {
            tag
            for tag in shared
            for before, after in self._pairs.values()
            if self._old.by_tag(before).get(tag) != self._new.by_tag(after).get(tag)
        }

    def _park(self, risky: list[FamilyPrefix], new_tags: Mapping[FamilyPrefix, str]) -> dict[str, str]:
        """Move prefixes into transit classes; returns the transit tag of each final tag."""
        finals = sorted({new_tags[key] for key in risky})
        transit = {tag: str(0x40000000 | int.from_bytes(sha256(tag.encode()).digest()[:4]) >> 2) for tag in finals}
        names = {tag: f"frrsync-transit-{int(transit[tag]):08x}" for tag in finals}
        self._result.classes = {names[tag]: transit[tag] for tag in finals}
        pointing = {}
        for pair, (before, after) in self._pairs.items():
            wanted = self._new.by_tag(after)
            parked = [_retagged(wanted[tag], transit[tag]) for tag in finals if tag in wanted]
            pointing[pair] = self._temporary([*self._old.by_tag(before).values(), *parked])
        self._result.moves.append((pointing, {key: names[new_tags[key]] for key in risky}))
        return transit

    def _finish(self, used: set[str], still_used: set[str], transit: Mapping[str, str]) -> None:
        """Point at maps that know old and new classes, move the prefixes, point at the final maps."""
        bridges, finals = {}, {}
        for pair, (before, after) in self._pairs.items():
            wanted, previous = self._new.by_tag(after), self._old.by_tag(before)
            extra = [content for tag, content in previous.items() if tag in still_used and tag not in used]
            extra += [_retagged(wanted[tag], parked) for tag, parked in transit.items() if tag in wanted]
            own_form = self._new.has_tags_only(after) and self._old.has_tags_only(before)
            bridges[pair] = self._temporary([*wanted.values(), *extra]) if extra and own_form else after
            finals[pair] = after
        moving = self._new_networks
        moves_out = any(key in self._old_networks for key in moving)
        if not moves_out and not transit:
            bridges = finals
        self._result.moves.append((self._differing(bridges), moving))
        if bridges != finals:
            self._result.moves.append((finals, {}))

    def _differing(self, pointing: dict[FamilyNeighbor, str]) -> dict[FamilyNeighbor, str]:
        """Leave out neighbors that point there already and were not parked meanwhile."""
        if self._result.moves:
            return pointing
        return {pair: name for pair, name in pointing.items() if self._pairs[pair][0] != name}

    def _temporary(self, entries: Iterable[Entry]) -> str:
        """Return the name of a map with these entries that lives during the change only."""
        content = list(entries)
        name = "frrsync-move-" + sha256(repr(content).encode()).hexdigest()[:10]
        self._result.maps[name] = content
        return name


def _retagged(entry: Entry, tag: str) -> Entry:
    return tuple(f"match tag {tag}" if line.startswith("match tag ") else line for line in entry)
