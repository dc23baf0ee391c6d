"""From a line of the configuration back to the objects that it was made of, so that a refusal names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.frr_config import CLASS_PREFIX, OUTBOUND_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from frrsync.core.decide import Decision
    from frrsync.core.metadata import Metadata
    from frrsync.core.model import Snapshot

Subject = tuple[str, "Metadata"]
"""A kind and what is known of one object of it."""


def origins(path: tuple[str, ...], snapshot: Snapshot, decision: Decision) -> tuple[Subject, ...]:
    """Return the objects behind a line, given with the contexts that it stands in; empty when nobody knows.

    A line that takes something back (``no ...``) comes from the same objects as the line itself.
    """
    for line in reversed(path):
        words = line.removeprefix("no ").split(" ")
        if words[0] == "neighbor" and len(words) > 1:
            return _peers(words[1], _vrf(path), decision)
        if words[0] == "network" and len(words) > 1:
            return _services(words[1], snapshot, decision)
        if words[0] == "route-map" and len(words) > 1:
            return _advertisements(words, snapshot, decision)
        if words[0] == "profile" and path[0] == "bfd" and len(words) > 1:
            profile = snapshot.bfd_profiles.get(words[1])
            return (("BFDProfile", profile.meta),) if profile else ()
    if path and path[0].removeprefix("no ").startswith("router bgp "):
        return _of_instance(_vrf(path), decision)
    return ()


def _vrf(path: tuple[str, ...]) -> str:
    return next((line.partition(" vrf ")[2] for line in path if line.removeprefix("no ").startswith("router bgp ")), "")


def _peers(name: str, vrf: str, decision: Decision) -> tuple[Subject, ...]:
    return tuple(
        ("BGPPeer", session.peer.meta)
        for session in decision.sessions
        if session.neighbor.peer == name and session.peer.vrf == vrf
    )


def _of_instance(vrf: str, decision: Decision) -> tuple[Subject, ...]:
    return tuple(("BGPPeer", session.peer.meta) for session in decision.sessions if session.peer.vrf == vrf)


def _services(prefix: str, snapshot: Snapshot, decision: Decision) -> tuple[Subject, ...]:
    names = sorted(name for name, verdict in decision.verdicts.items() if prefix in verdict.prefixes)
    return tuple(("Service", snapshot.services[name].meta) for name in names if name in snapshot.services)


def _advertisements(words: list[str], snapshot: Snapshot, decision: Decision) -> tuple[Subject, ...]:
    """Return the advertisements behind a class, or behind the class of one entry of an outbound map."""
    tags = set(_tags(words, decision))
    descriptions = {item.description for item in decision.config.class_maps if item.tag in tags}
    listed = {name for text in descriptions for name in text.removesuffix("...").split(",")}
    found = (snapshot.bgp_advertisements.get(name) for name in sorted(listed))
    return tuple(("BGPAdvertisement", item.meta) for item in found if item is not None)


def _tags(words: list[str], decision: Decision) -> Iterator[int]:
    name, number = words[1], words[3:4]
    if name.startswith(CLASS_PREFIX):
        yield from _class_tags(name, decision)
    if name.startswith(OUTBOUND_PREFIX):
        for policy in decision.config.outbound_maps:
            if policy.name == name:
                yield from (entry.tag for entry in policy.entries if not number or number == [str(entry.sequence)])


def _class_tags(name: str, decision: Decision) -> Iterable[int]:
    return (item.tag for item in decision.config.class_maps if item.name == name)
