"""How single configuration lines replace each other and how each is taken back.

Two lines with the same *key* cannot stand beside each other: the later one overwrites. The key is also what
``no`` wants where the whole line is refused. Measured on FRR 8.4 and 10.3 for every line that we render; a
line that is not in these tables (from a template of the operator's) is taken back as ``no`` and the line.
"""

from __future__ import annotations

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
    "timers",
    "advertisement-interval",
    "maximum-prefix",
    "allowas-in",
)
"""Words behind ``neighbor X`` that take one value; longer ones first where one begins another."""

_NEIGHBOR_RESETS = (
    "remote-as",
    "interface remote-as",
    "password",
    "ebgp-multihop",
    "local-as",
    "update-source",
    "disable-connected-check",
    "enforce-multihop",
    "ttl-security",
    "capability extended-nexthop",
    "capability dynamic",
    "passive",
    "graceful-restart",
    "graceful-restart-disable",
    "peer-group",
)
"""Words behind ``neighbor X`` whose change costs the session (NOTIFICATION 6/6, or only then counts)."""

_INSTANCE_KEYS = (
    "bgp router-id",
    "bgp graceful-restart restart-time",
    "bgp graceful-restart stalepath-time",
    "bgp cluster-id",
    "coalesce-time",
    "timers bgp",
    "bgp bestpath as-path multipath-relax",
)

_INSTANCE_RESETS = ("bgp router-id", "bgp graceful-restart", "bgp suppress-fib-pending")
"""Instance lines whose change may reset every session: the first on both versions, the others on 10.3."""

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
    if rest.startswith("route-map "):
        return f"neighbor {peer} route-map {rest.rsplit(' ', 1)[-1]}"
    for words in _NEIGHBOR_KEYS:
        if rest == words or rest.startswith(words + " "):
            return f"neighbor {peer} {words}"
    return line


def instance_key(line: str) -> str:
    """Return the key of any line below ``router bgp`` or an address family."""
    if neighbor_of(line):
        return neighbor_key(line)
    if line.startswith("network "):
        return " ".join(line.split(" ")[:2])
    if line.startswith("maximum-paths "):
        return "maximum-paths ibgp" if line.startswith("maximum-paths ibgp") else "maximum-paths"
    for words in _INSTANCE_KEYS:
        if line == words or line.startswith(words + " "):
            return words
    return line


def negation(line: str) -> str:
    """Return the line that takes back a line below ``router bgp`` or an address family."""
    if line.startswith("no "):
        return line.removeprefix("no ")
    key = instance_key(line)
    if neighbor_of(line) and " route-map " in line:
        return f"no {line}"
    if key.endswith((" bfd profile", " interface remote-as", " remote-as")):
        return f"no {line}"
    return f"no {key}"


def bfd_key(line: str) -> str:
    """Return the key of a line of a BFD profile: everything before its number."""
    head, _, last = line.rpartition(" ")
    return head if last.isdigit() else line


def bfd_negation(line: str) -> str:
    """Return the line that takes back a line of a BFD profile."""
    return _BFD_DEFAULTS.get(bfd_key(line), f"no {line}")


def resets_session(line: str) -> bool:
    """Say whether adding, changing or taking back this ``neighbor X ...`` line costs the session."""
    rest = line.split(" ", 2)[-1]
    return any(rest == words or rest.startswith(words + " ") for words in _NEIGHBOR_RESETS)


def resets_instance(line: str) -> bool:
    """Say whether changing this instance line may cost every session."""
    return line.removeprefix("no ").startswith(_INSTANCE_RESETS)
