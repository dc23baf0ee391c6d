"""What becomes of advertisements that meet in one prefix at one peer and contradict each other.

Communities add up, but a route has one local preference and one length of its AS path. The older advertisement
counts; the younger one is left out at that peer for that prefix, and for everything else it stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from frrsync.core.advertisement import mistake_of, placed, rival
from frrsync.core.community import CommunitySet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from frrsync.core.advertisement import Resolved
    from frrsync.core.model import Mistake
    from frrsync.core.route_class import Names
    from frrsync.core.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two advertisements that cannot both have their way, and the field over which they differ."""

    older: Resolved
    younger: Resolved
    field: str
    message: str

    def mistake(self, subject: str, peers: Collection[str]) -> Mistake:
        """Return what to tell; ``subject`` says for which addresses the younger one is left out."""
        message = f"left out for {subject} at BGPPeer {', '.join(sorted(peers))}: {self.message}"
        return mistake_of("BGPAdvertisement", self.younger.advertisement.meta, self.field, message)


def contradiction(older: Resolved, younger: Resolved) -> Contradiction | None:
    """Return over what two advertisements differ on a prefix that both cover; absent counts as a value."""
    one, other = older.advertisement, younger.advertisement
    name = rival("BGPAdvertisement", one.meta, other.meta)
    for field, wanted, found in (
        ("spec.localPref", one.local_pref, other.local_pref),
        ("spec.asPathPrepend", one.as_path_prepend, other.as_path_prepend),
    ):
        if wanted != found:
            message = f"found {found or 'none'}, but {wanted or 'none'} for the same prefixes in {name}"
            return Contradiction(older=older, younger=younger, field=field, message=message)
    if reason := (older.communities | younger.communities).excess():
        message = f"{reason}, together with those of {name}"
        return Contradiction(older=older, younger=younger, field="spec.communities", message=message)
    return None


def agreeing(reaching: Iterable[Resolved]) -> tuple[list[Resolved], list[Contradiction]]:
    """Return those that have their way on a prefix at a peer, oldest first, and why the others have not."""
    kept: list[Resolved] = []
    refused: list[Contradiction] = []
    communities = CommunitySet()
    for item in sorted(reaching, key=lambda item: item.rank):
        found = next((clash for older in kept if (clash := contradiction(older, item)) is not None), None)
        together = communities | item.communities
        if found is None and kept and (reason := together.excess()) is not None:
            older = ", ".join(placed("BGPAdvertisement", one.advertisement.meta) for one in kept)
            message = f"{reason}, together with those of {older}, which count"
            found = Contradiction(older=kept[0], younger=item, field="spec.communities", message=message)
        if found is None:
            kept.append(item)
            communities = together
        else:
            refused.append(found)
    return kept, refused


def contradictions(
    sessions: Iterable[Session], covered: Mapping[str, Names], advertisements: Mapping[str, Resolved]
) -> list[Mistake]:
    """Return what was left out of the outbound maps of these sessions, each pair of advertisements once.

    ``covered`` are the prefixes on the wire with the names of the advertisements that cover each.
    """
    clashing = {
        names
        for names in set(covered.values())
        if len(names) > 1 and agreeing(advertisements[name] for name in names)[1]
    }
    examples: dict[int, dict[Names, str]] = {4: {}, 6: {}}
    for prefix, names in covered.items() if clashing else ():
        if names in clashing:
            lowest = examples[6 if ":" in prefix else 4]
            if names not in lowest or prefix < lowest[names]:
                lowest[names] = prefix
    found: dict[tuple[str, str, str], tuple[Contradiction, set[str], set[str]]] = {}
    for session in sessions:
        peer = session.peer.meta.name
        for names, example in (item for version in session.families for item in examples[version].items()):
            for clash in agreeing(advertisements[name] for name in names if advertisements[name].reaches(peer))[1]:
                key = (clash.younger.name, clash.older.name, clash.field)
                _, prefixes, peers = found.setdefault(key, (clash, set(), set()))
                prefixes.add(example)
                peers.add(peer)
    return [
        clash.mistake(f"prefixes such as {min(prefixes)}", peers)
        for _, (clash, prefixes, peers) in sorted(found.items())
    ]
