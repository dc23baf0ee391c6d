"""How single configuration lines replace each other and how each is taken back.

Two lines with the same *key* cannot stand beside each other: the later one overwrites. The key is also what
``no`` wants where the whole line is refused. Measured on FRR 8.4 and 10.3 for every line that we render; a
line that is not in these tables (from a template of the operator's) is taken back as ``no`` and the line.
"""

from __future__ import annotations

import re

_NEIGHBOR_KEYS = (
    "remote-as",
    "interface remote-as",
    "description",
    "bfd profile",
    "password",
    "ebgp-multihop",
    "local-as",
    "port",
    "update-source",
    "timers connect",
    "timers delayopen",
    "timers",
    "advertisement-interval",
    "maximum-prefix",
    "allowas-in",
    "path-attribute discard",
)
"""Words behind ``neighbor X`` that take one value; longer ones first where one begins another.

The last one is here because bgpd 10.3 dies of ``no neighbor X path-attribute discard N`` in full.
"""

_DIRECTED = ("route-map ", "prefix-list ", "filter-list ", "distribute-list ")
"""Words behind ``neighbor X`` that take one value for each direction, which is the last word."""

_NEIGHBOR_RESETS = (
    "remote-as",
    "interface remote-as",
    "password",
    "ebgp-multihop",
    "update-source",
    "disable-connected-check",
    "enforce-multihop",
    "capability extended-nexthop",
)
"""Words behind ``neighbor X`` whose change FRR answers with one NOTIFICATION 6/6."""

_NEIGHBOR_BRACKETS = (
    "local-as",
    "port",
    "graceful-restart",
    "graceful-restart-disable",
    "graceful-restart-helper",
    "passive",
    "ttl-security",
    "local-role",
    "capability dynamic",
    "extended-optional-parameters",
)
"""Words behind ``neighbor X`` that count for a new session only, and for which FRR itself ends none, one or two.

Another ``local-as`` costs two sessions on 8.4 and none on 10.3, graceful restart none on 8.4 and one on 10.3,
a ``port`` one and none when it goes. Between ``shutdown`` and ``no shutdown`` it is one, and it counts at once.
"""

_FAMILY_RESETS = (
    "activate",
    "addpath-tx-",
    "disable-addpath-rx",
    "route-server-client",
    "capability orf",
    "soo",
)
"""Words behind ``neighbor X`` in an address family whose change costs the session."""

_INSTANCE_KEYS = (
    "bgp router-id",
    "bgp graceful-restart restart-time",
    "bgp graceful-restart stalepath-time",
    "bgp cluster-id",
    "timers bgp",
    "bgp bestpath as-path multipath-relax",
)

_INSTANCE_WHOLE_KEYS = ("coalesce-time", "read-quanta", "write-quanta")
"""As above, but FRR calls ``no`` without the value incomplete."""

_INSTANCE_RESETS = ("bgp router-id", "bgp confederation identifier")
"""Beginnings of instance lines whose change resets every session."""

_INSTANCE_RESETS_SINCE_10 = frozenset(
    {"bgp graceful-restart", "bgp graceful-restart-disable", "bgp suppress-fib-pending", "bgp reject-as-sets"}
)
"""Instance lines that reset every session on 10.3 and none on 8.4; none of them is ours."""

_LIST_ENTRY = re.compile(r"(?P<list>.*) seq (?P<number>\d+) (?P<value>(permit|deny) .*)")

_MAP_KEYS = (
    "description",
    "match tag",
    "set tag",
    "set as-path prepend",
    "set community",
    "set large-community",
    "set local-preference",
)
"""The lines of a route-map entry that we render: all take one value."""

_BFD_DEFAULTS = {
    "detect-multiplier": "detect-multiplier 3",
    "transmit-interval": "transmit-interval 300",
    "receive-interval": "receive-interval 300",
    "echo transmit-interval": "echo transmit-interval 50",
    "echo receive-interval": "echo receive-interval 50",
    "minimum-ttl": "minimum-ttl 254",
}
"""bfdd 8.4 has no ``no`` for these; the default value makes the line vanish."""


def neighbor_of(line: str) -> str:
    """Return the neighbor of a ``neighbor X ...`` line, or an empty text for any other line."""
    words = line.split(" ", 2)
    return words[1] if len(words) == 3 and words[0] == "neighbor" else ""


def neighbor_key(line: str) -> str:
    """Return the key of a ``neighbor X ...`` line: what another line must share to overwrite it."""
    _, peer, rest = line.split(" ", 2)
    for words in _DIRECTED:
        if rest.startswith(words):
            return f"neighbor {peer} {words}{rest.rsplit(' ', 1)[-1]}"
    words = _begins_with(_NEIGHBOR_KEYS, rest)
    return f"neighbor {peer} {words}" if words else line


def instance_key(line: str) -> str:
    """Return the key of any line below ``router bgp`` or an address family."""
    if neighbor_of(line):
        return neighbor_key(line)
    if line.startswith("network "):
        return " ".join(line.split(" ")[:2])
    if line.startswith("maximum-paths "):
        return "maximum-paths ibgp" if line.startswith("maximum-paths ibgp") else "maximum-paths"
    return _begins_with((*_INSTANCE_KEYS, *_INSTANCE_WHOLE_KEYS), line) or line


def negation(line: str) -> str:
    """Return the line that takes back a line below ``router bgp`` or an address family."""
    if line.startswith("no "):
        return line.removeprefix("no ")
    key = instance_key(line)
    directed = neighbor_of(line) and key.endswith((" in", " out"))
    if directed or key.endswith((" bfd profile", " remote-as")) or key in _INSTANCE_WHOLE_KEYS:
        return f"no {line}"
    return f"no {key}"


def global_key(line: str) -> str:
    """Return the key of a plain line of the top level: a list's entry is known by its number.

    For a prefix-list that is all that ``no`` looks at: taking back the old entry after the new one was set
    would take the new one.
    """
    if line.startswith("bgp route-map delay-timer "):
        return "bgp route-map delay-timer"
    entry = _LIST_ENTRY.fullmatch(line)
    return f"{entry['list']} seq {entry['number']}" if entry else line


def list_value(line: str) -> str:
    """Return what an entry of a list says without its number; an empty text for any other line.

    FRR ignores an entry that the list has already under another number.
    """
    entry = _LIST_ENTRY.fullmatch(line)
    return f"{entry['list']} {entry['value']}" if entry else ""


def map_key(line: str) -> str:
    """Return the key of a line of a route-map entry; the line itself for one that is not ours.

    8.4 complains when a value overwrites ``none``.
    """
    return line if line.endswith(" none") else _begins_with(_MAP_KEYS, line) or line


def bfd_key(line: str) -> str:
    """Return the key of a line of a BFD profile: everything before its value."""
    return _begins_with(tuple(_BFD_DEFAULTS), line) or line


def bfd_negation(line: str) -> str:
    """Return the line that takes back a line of a BFD profile."""
    return _BFD_DEFAULTS.get(bfd_key(line), f"no {line}")


def creates_neighbor(line: str) -> bool:
    """Say whether this ``neighbor X ...`` line makes the neighbor, so that ``no`` takes all of it."""
    return " remote-as " in line or line.endswith(" peer-group") or " peer-group " in line


def resets_session(line: str) -> bool:
    """Say whether adding, changing or taking back this ``neighbor X ...`` line costs the session.

    BFD that goes costs it only where the peer runs BFD as well: an FRR there takes our AdminDown for a failure.
    """
    ends_bfd = line.startswith("no ") and _behind_neighbor(line) == "bfd"
    return ends_bfd or needs_bracket(line) or bool(_begins_with(_NEIGHBOR_RESETS, _behind_neighbor(line)))


def needs_bracket(line: str) -> bool:
    """Say whether this ``neighbor X ...`` line must stand between ``shutdown`` and ``no shutdown``."""
    return bool(_begins_with(_NEIGHBOR_BRACKETS, _behind_neighbor(line)))


def resets_family(line: str) -> bool:
    """Say whether this ``neighbor X ...`` line of an address family costs the session."""
    return bool(neighbor_of(line)) and _behind_neighbor(line).startswith(_FAMILY_RESETS)


def resets_instance(line: str) -> bool:
    """Say whether changing this instance line may cost every session."""
    bare = line.removeprefix("no ")
    return bare.startswith(_INSTANCE_RESETS) or bare in _INSTANCE_RESETS_SINCE_10


def _behind_neighbor(line: str) -> str:
    return line.removeprefix("no ").split(" ", 2)[-1]


def _begins_with(choices: tuple[str, ...], text: str) -> str:
    """Return the first of the choices whose words the text begins with, or an empty text."""
    return next((words for words in choices if text == words or text.startswith(words + " ")), "")
