"""One node under test, seen from outside: manifests go in, the listener's log is judged as it comes."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from instruments import judge
from instruments.documents import key_of
from instruments.world import Change, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from instruments.documents import Document, Key, ManifestFolder
    from instruments.observe import ListenerProcess

POLL_SECONDS = 0.005


class Scenario:
    """Applies changes, waits for their effect at the peers, and judges every UPDATE on the way."""

    def __init__(self, node: str, folder: ManifestFolder, allocations: Path, listener: ListenerProcess) -> None:
        self._folder = folder
        self._allocations_file = allocations
        self._listener = listener
        self.allocations: dict[str, Sequence[str]] = {}
        self.judge = judge.Judge(World(node, folder.documents, {}))

    @property
    def verdict(self) -> judge.Verdict:
        """Return what was found so far."""
        return self.judge.verdict

    @property
    def documents(self) -> Mapping[Key, Document]:
        """Return the manifests as they are now."""
        return self._folder.documents

    def read(self) -> None:
        """Judge what the listener has logged since the last call."""
        self.judge.events(self._listener.follow())

    def apply(self, *documents: Document, remove: Iterable[Key] = ()) -> float:
        """Write documents and remove others, as one change each; return the time just before.

        Services get the addresses that the allocation record names; so this waits for those that are new.
        """
        start = time.monotonic()
        for document in documents:
            self._change({key_of(document): document}, self._promised(document))
            self._folder.put(document)
        for key in remove:
            owner = f"{key[1]}/{key[2]}"
            gone = {owner: None} if key[0] == "Service" else {}
            self.allocations.pop(owner, None)
            self._change({key: None}, gone)
            self._folder.remove(key)
        return start

    def _change(
        self, documents: Mapping[Key, Document | None], allocations: Mapping[str, Sequence[str] | None]
    ) -> None:
        self.read()
        self.judge.change(Change(time.monotonic(), documents, allocations))

    def _promised(self, document: Document) -> dict[str, Sequence[str] | None]:
        """Return the addresses that a Service asks for itself; the allocator has no choice then."""
        asked = document["metadata"].get("annotations", {}).get("metallb.io/loadBalancerIPs")
        if document["kind"] != "Service" or not asked:
            return {}
        owner = f"{document['metadata']['namespace']}/{document['metadata']['name']}"
        self.allocations[owner] = asked.split(",")
        return {owner: self.allocations[owner]}

    def await_allocations(self, timeout: float = 10) -> None:
        """Wait until every Service of type LoadBalancer has addresses, and let the judge know them."""
        wanted = {f"{key[1]}/{key[2]}" for key in self._folder.documents if key[0] == "Service"}

        def complete() -> bool:
            return wanted <= self.recorded().keys()

        self.wait(complete, timeout, lambda: f"no address for {sorted(wanted - self.recorded().keys())}")
        news = {owner: found for owner, found in self.recorded().items() if self.allocations.get(owner) != found}
        self.allocations.update(news)
        self.judge.change(Change(time.monotonic(), {}, news))

    def recorded(self) -> dict[str, list[str]]:
        """Return the addresses of the allocation record."""
        try:
            record = json.loads(self._allocations_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {owner: entry["addresses"] for owner, entry in record["services"].items()}

    def wait(self, condition: Callable[[], bool], timeout: float, why: Callable[[], str]) -> float:
        """Wait for something while the log is being judged; return the seconds it took."""
        start = time.monotonic()
        while True:
            self.read()
            if condition():
                return time.monotonic() - start
            if time.monotonic() - start > timeout:
                raise AssertionError(f"after {timeout} s: {why()}\n{self.verdict}")
            time.sleep(POLL_SECONDS)

    def quiet(self, seconds: float, timeout: float = 15) -> None:
        """Wait until no peer has been sent anything for a while."""
        last = time.monotonic(), self.verdict.announced + self.verdict.withdrawn

        def is_quiet() -> bool:
            nonlocal last
            count = self.verdict.announced + self.verdict.withdrawn
            if count != last[1]:
                last = time.monotonic(), count
            return time.monotonic() - last[0] >= seconds

        self.wait(is_quiet, timeout, lambda: f"expected {seconds} s of quiet")

    def settle(self, timeout: float = 10) -> float:
        """Wait until every peer has exactly what it should have; return the seconds it took."""
        latest = self.judge.latest()
        expected = {peer: latest.get(peer, {}) for peer in self._listener.tables}

        def differences() -> list[judge.Finding]:
            return judge.compare(self._listener.tables, expected, time.monotonic())

        def why() -> str:
            return "\n".join(str(finding) for finding in differences()[:20])

        took = self.wait(lambda: self._listener.tables == expected, timeout, why)
        self.judge.settled(time.monotonic())
        return took

    def at_rest(self) -> list[judge.Finding]:
        """Return what differs now between the peers' own tables and what they should be."""
        self.read()
        actual = {peer: self._listener.rib(peer) for peer in self._listener.tables}
        return judge.compare(actual, self.judge.latest(), time.monotonic())

    def assert_clean(self) -> None:
        """Fail with the findings if there is any, or if the peers' tables are not right."""
        self.verdict.findings.extend(self.at_rest())
        assert not self.verdict.findings, f"expected no finding, found:\n{self.verdict}"
