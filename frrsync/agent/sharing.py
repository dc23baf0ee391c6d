"""An FRR that an operator runs and shares with us: what of ours it can take now, and when to look again."""

from __future__ import annotations

import json
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING

from frrsync.errors import ConfigError, FrrUnavailable
from frrsync.frr.exposure import allowed_names
from frrsync.frr.lines import neighbor_of
from frrsync.frr.plan import Daemon
from frrsync.frr.scope import managed
from frrsync.frr.shared import ROUTER, has_lost, make_plan, vrf_of
from frrsync.frr.shared_fit import fit, held, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frrsync.frr.plan import Plan
    from frrsync.frr.session import Frr
    from frrsync.frr.tree import Tree
    from frrsync.settings import Settings

QUIET_SECONDS = 0.8
"""Lines that somebody took away come back when FRR's configuration did not change for so long."""

QUIET_LOOKS = 3
"""How often the loop is woken after lines of ours went and nothing moves any more."""
_RUNNING_CONFIG = "show running-config"
_MOST_TOLD = 5
_FAMILIES = {False: ("ip", "0.0.0.0/0"), True: ("ipv6", "::/0")}


def check_settings(settings: Settings) -> None:
    """Refuse settings that contradict a shared FRR; raises ConfigError."""
    if settings.frr_mode == "shared" and settings.frr_conf is not None:
        raise ConfigError(
            f"--frr-conf: found {settings.frr_conf}, allowed is none with --frr-mode shared: "
            "the file that FRR starts with is the operator's"
        )


class Sharing:
    """Fits our configuration into one FRR of an operator's; belongs to the thread that applies.

    Attributes:
        problem: what stood in the way the last time, with the lines that help; empty for nothing.

    """

    def __init__(self, settings: Settings, frr: Frr) -> None:
        self._frr = frr
        self._allowed = allowed_names(settings.allow_neighbor)
        self._wanted: Tree = {}
        self._taken: Tree = {}
        self._moving: tuple[Tree, float] | None = None
        self.problem = ""

    def fit(self, desired: Tree) -> Tree:
        """Return what of a rendered configuration FRR can take as it is now; raises FrrUnavailable without FRR."""
        running = self._frr.read()
        fitted = fit(desired, self._frr.whole, running, self._allowed)
        found = [*fitted.obstacles, *self._untracked(fitted.tree)]
        more = [f"and {len(found) - _MOST_TOLD} more"] if len(found) > _MOST_TOLD else []
        self.problem = "; ".join([*found[:_MOST_TOLD], *more])
        self._wanted = fitted.tree
        if self._is_taken_apart(running):
            self.problem = "somebody takes frrsync's lines away; they come back when nothing moves any more"
            self._wanted = held(running, fitted.tree)
        return self._wanted

    def make_plan(self, running: Tree, wanted: Tree) -> Plan:
        """Return the commands that lead from one to the other in the FRR that was read last."""
        return make_plan(running, wanted, self._frr.whole)

    def taken(self) -> None:
        """Remember that FRR runs what was fitted last."""
        if self._moving is None:
            self._taken = managed(self._wanted, self._frr.dialect)

    def _is_taken_apart(self, running: Tree) -> bool:
        """Say whether lines of ours go without us, and did so a moment ago.

        FRR's reload tool takes them away line by line, for seconds. What were brought back meanwhile it would
        take apart again, and a neighbor without its outbound map sees the operator's routes.
        """
        if not has_lost(self._taken, running):
            self._moving = None
            return False
        if self._moving is None or self._moving[0] is not self._frr.whole:
            self._moving = (self._frr.whole, monotonic())
        if monotonic() < self._moving[1] + QUIET_SECONDS:
            return True
        self._moving = None
        return False

    def _untracked(self, tree: Tree) -> Iterator[str]:
        """Yield the lines that neighbors need which are reached over the default route only.

        FRR takes that for unreachable unless it is told otherwise: by default until 9.0, on request since.
        """
        routers = [(line, content) for line, content in tree.items() if line.startswith(ROUTER) and not vrf_of(line)]
        remote = (neighbor_of(line) for head, content in routers for line in content if _is_remote(line, head))
        for peer in dict.fromkeys(remote):
            family, default = _FAMILIES[":" in peer]
            try:
                answer = self._frr.show(f"show {family} route {peer} json", Daemon.ZEBRA)
                if not json.loads(answer).get(default):
                    continue
                is_tracked = self._resolves_via_default(family)
            except (FrrUnavailable, ValueError):
                continue  # a zebra that does not answer is told elsewhere
            if not is_tracked:
                line = quoted(f"{family} nht resolve-via-default")
                yield f"neighbor {peer} is reached over the default route only; add {line}"

    def _resolves_via_default(self, family: str) -> bool:
        """Say whether FRR takes what the default route leads to for reachable.

        What it prints of this depends on the version and on ``frr defaults``; from 9.1 on it says what holds.
        """
        if self._frr.dialect.prints_resolve_via_default:
            lines = self._frr.show(_RUNNING_CONFIG, Daemon.ZEBRA).splitlines()
            return f"{family} nht resolve-via-default" in lines
        return "Resolve via default: off" not in self._frr.show(f"show {family} nht", Daemon.ZEBRA)


def _is_remote(line: str, router: str) -> bool:
    """Say whether this line belongs to a neighbor that may be several hops away."""
    words = line.split(" ")[2:]
    is_internal = words[:1] == ["remote-as"] and words[1:] in (["internal"], router.split(" ")[2:3])
    return is_internal or words[:1] in (["ebgp-multihop"], ["disable-connected-check"])


class OperatorWatch:
    """Wakes the loop when bgpd's configuration changed, but for prefixes; belongs to the observer's thread.

    So a new neighbor of the operator's, or a line that was missing, is acted on within a second. While lines of
    ours go, a reload of the operator's is under way, which is waited for: see ``Sharing``.
    """

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._digest = b""
        self._ours = 0
        self._quiet_looks = QUIET_LOOKS

    def look(self, frr: Frr) -> None:
        """Compare with the last look; a bgpd that does not answer is told elsewhere."""
        try:
            text = frr.show(_RUNNING_CONFIG, Daemon.BGPD)
        except FrrUnavailable:
            return
        rest = "\n".join(line for line in text.splitlines() if not line.startswith("  network "))
        digest, ours = blake2b(rest.encode(), digest_size=16).digest(), rest.count("frrsync-")
        has_changed = self._digest not in {b"", digest}
        is_going = has_changed and ours < self._ours
        self._quiet_looks = 0 if is_going else self._quiet_looks + 1
        if not is_going and (has_changed or self._quiet_looks <= QUIET_LOOKS):
            self._wake("operator")
        self._digest, self._ours = digest, ours
