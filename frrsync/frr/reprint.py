"""Lines of an operator's templates that FRR prints in another form than they were written in. Pure.

FRR sorts communities, shortens addresses, numbers the entries of lists, cuts timers, leaves out defaults. Our
own templates print FRR's form; an operator's need not, and what was sent would never equal what runs. So what
differs after the first time is learned: from then on FRR's form of the line is what is wanted. A line of ours
is never learned: where one of those differs, something is wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import TYPE_CHECKING, Protocol

from frrsync.frr.plan import Command, Daemon
from frrsync.frr.scope import owner
from frrsync.frr.tree import difference, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from frrsync.frr.tree import Path, Tree

_KIN_WORDS = 2
"""So many words in common make two lines of different contexts forms of one."""
_SAME_CONTEXT = 0.5
_NEIGHBOR_WORDS = 3


class Learner(Protocol):
    """Knows which lines come from templates of the operator's, for ``apply``."""

    def prints(self, lines: Iterable[str]) -> bool:
        """Say whether one of these lines is printed by the operator's templates."""

    def place_of(self, line: str) -> str:
        """Return ``FILE:LINE`` of the template that printed a line; empty for a line of ours."""

    def hide(self, text: str) -> str:
        """Return a text without the passwords of the configuration, wherever a template printed them."""

    def recognize(self, running: Tree, wanted: Tree) -> Tree:
        """Return what is wanted, with FRR's form of lines of the templates that run already."""

    def send_again(self, before: Tree, running: Tree, wanted: Tree) -> Sequence[Command]:
        """Return lines of the templates that went with another form of them."""

    def learn(self, before: Tree, running: Tree, wanted: Tree) -> Tree | None:
        """Return what is wanted in FRR's form if only lines of the operator's templates differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprint:
    """A line as a template prints it, and what FRR prints for it: mostly one line, sometimes two or none."""

    wanted: Path
    runs: tuple[Path, ...]


def learn(before: Tree, running: Tree, wanted: Tree, operators: Collection[Path]) -> tuple[Reprint, ...]:
    """Return what explains all differences after ``wanted`` was sent; nothing if they have another reason.

    ``before`` is what ran when the plan was made, ``operators`` are the lines that templates of the operator's
    printed. Whatever runs unasked must have come with the plan, or be another form of a line that is missing.
    """
    missing, unexpected = difference(wanted, running), difference(running, wanted)
    theirs = frozenset(operators)
    if not theirs.issuperset(missing):
        return ()
    # Without a missing line, one that is new has brought others with it.
    asked = missing or [path for path in difference(wanted, before) if path in theirs]
    old = frozenset(lines(before))
    for path in unexpected:
        kin = [one for one in asked if _likeness(one, path)]
        if not kin or (path in old and all(one[:-1] != path[:-1] for one in kin)):
            return ()
    found = _assigned(asked, unexpected)
    kept = frozenset(asked).difference(missing)
    reprints = [Reprint(wanted=one, runs=tuple(runs)) for one, runs in found.items()]
    return tuple(
        Reprint(wanted=one.wanted, runs=(one.wanted, *one.runs)) if one.wanted in kept else one
        for one in reprints
        if one.runs or one.wanted not in kept
    )


def recognize(running: Tree, wanted: Tree, operators: Callable[[], Collection[Path]]) -> tuple[Reprint, ...]:
    """Return the lines that run already in a form that is known to mean the same.

    So an agent that has lost what was learned does not send a line once more that costs a session. Only forms that
    are certain: what an entry of a list means depends on the others.
    """
    forms = {(path[:-1], _meaning(path[-1])): path for path in difference(running, wanted)}
    missing = difference(wanted, running) if forms else []
    pairs = [(path, forms.get((path[:-1], _meaning(path[-1])))) for path in missing]
    if not any(form for _, form in pairs):
        return ()
    theirs = operators()
    return tuple(Reprint(wanted=path, runs=(form,)) for path, form in pairs if form and path in theirs)


def send_again(before: Tree, running: Tree, wanted: Tree, operators: Collection[Path]) -> tuple[Command, ...]:
    """Return the lines of templates that FRR does not print, to make sure that it does not.

    Somebody else may have taken one back, or the plan itself: FRR ignores an entry that its list has already, and
    taking back the numbered form then takes the only one.
    """
    unprinted = [one.wanted for one in learn(before, running, wanted, operators) if not one.runs]
    contexts = {path[:-1] for path in lines(wanted)}
    return tuple(
        Command(owner(path[0]) or Daemon.BGPD, path[:-1], path[-1]) for path in unprinted if path not in contexts
    )


def applied(tree: Tree, reprints: Iterable[Reprint]) -> Tree:
    """Return the tree with FRR's form of every line that was learned; the given tree stays as it is."""
    found = dict(tree)
    fresh: dict[Path, Tree] = {(): found}
    for one in sorted(reprints, key=lambda item: -len(item.wanted)):
        if not is_in(found, one.wanted):
            continue
        context = _context(fresh, one.wanted[:-1])
        if one.wanted not in one.runs and not context[one.wanted[-1]]:
            del context[one.wanted[-1]]
        for path in one.runs:
            _context(fresh, path[:-1]).setdefault(path[-1], {})
    return found


def _context(fresh: dict[Path, Tree], path: Path) -> Tree:
    """Return a copied context that may be changed."""
    for depth in range(1, len(path) + 1):
        if path[:depth] not in fresh:
            above = fresh[path[: depth - 1]]
            above[path[depth - 1]] = fresh[path[:depth]] = dict(above.get(path[depth - 1], {}))
    return fresh[path]


def is_in(tree: Tree, path: Path) -> bool:
    """Say whether a tree has this line."""
    for line in path:
        if line not in tree:
            return False
        tree = tree[line]
    return True


def _assigned(asked: Sequence[Path], unexpected: Sequence[Path]) -> dict[Path, list[Path]]:
    """Give every unexpected line to the line that it is most like, each of those one before any gets two."""
    found: dict[Path, list[Path]] = {path: [] for path in asked}
    pairs = [(likeness, one, path) for one in asked for path in unexpected if (likeness := _likeness(one, path))]
    pairs.sort(key=lambda pair: -pair[0])
    given: set[Path] = set()
    for at_most_one in (True, False):
        for _, one, path in pairs:
            if path not in given and not (at_most_one and found[one]):
                found[one].append(path)
                given.add(path)
    return found


def _likeness(left: Path, right: Path) -> float:
    """Say how much two lines look like forms of one: words in common, more in the same context; 0 for not at all."""
    words, others = left[-1].casefold().split(), right[-1].casefold().split()
    common = (Counter(words) & Counter(others)).total()
    same = left[:-1] == right[:-1]
    if not same and common < _KIN_WORDS:
        return 0.0
    begun = next((place for place, pair in enumerate(zip(words, others, strict=False)) if pair[0] != pair[1]), common)
    return (common + begun) / (len(words) + len(others)) + (_SAME_CONTEXT if same else 0.0)


_SORTED = (("set", "community"), ("aggregate-address",))
"""Beginnings of lines in which the order of what follows means nothing."""
_MEANT = {"ebgp-multihop": ["255"], "allowas-in": ["3"]}
"""Words behind ``neighbor X``, and the value that holds when none is given."""


def _meaning(line: str) -> tuple[str, ...]:
    """Return what two lines share that mean the same to FRR 8.4 and 10.3."""
    words = [_shortest(word) for word in line.split()]
    for begun in _SORTED:
        if tuple(words[: len(begun)]) == begun:
            return (*begun, *sorted(words[len(begun) :]))
    if words[0] != "neighbor" or len(words) < _NEIGHBOR_WORDS:
        return tuple(words)
    peer, name, values = words[1], words[2], words[3:]
    if name == "timers" and len(values) == 2 and all(value.isdecimal() for value in values):
        keepalive, hold = map(int, values)
        values = [str(min(keepalive, hold // 3)), str(hold)]
    elif name == "enforce-multihop":
        name = "disable-connected-check"
    elif values == _MEANT.get(name):
        values = []
    return ("neighbor", peer, name, *values)


def _shortest(word: str) -> str:
    """Return an IPv6 address or prefix as FRR prints it, any other word as it is."""
    if word.count(":") < 2:
        return word
    try:
        return ip_interface(word).compressed if "/" in word else ip_address(word).compressed
    except ValueError:
        return word
