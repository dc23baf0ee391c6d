"""The steps of the demo. Every line that looks like output is output; what is not as it should be is a LabError."""

from __future__ import annotations

import difflib
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frrsync.errors import LabError
from frrsync.lab.demo.console import Console
from frrsync.lab.demo.traffic import TIMEOUT, Traffic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frrsync.lab.demo.traffic import Request

MANIFESTS = Path(__file__).parent / "manifests"
HOSTS = ("198.51.100.1/32", "2001:db8:5e::100/128")
NETWORKS = ("198.51.100.0/24", "2001:db8:5e::100/120")
URLS = ("http://198.51.100.1/", "http://[2001:db8:5e::100]/")
VICTIM = "node-2"
EDIT = (("aggregationLength: 32", "aggregationLength: 24"), ("V6: 128", "V6: 120"), ("64700:100", "64700:200"))
COMMUNITY = "64700:200"

BFD_LIMIT = 3.0
"""Seconds within which a dead node has to be out, on a machine however busy; BGP's own hold time is 9 s."""

# A process that is killed still says goodbye: the kernel closes its connections, and BGP hears that.
# A power cut says nothing, so nothing may leave the node from a moment before the kill.
_MUTE = (
    "table inet power_cut {"
    " chain out { type filter hook output priority -300; policy drop; };"
    " chain through { type filter hook forward priority -300; policy drop; };"
    "}"
)


class Story(Console):
    """The demo on a lab that has just been built."""

    def tell(self) -> None:
        """Go through all steps."""
        self.show_lab()
        self.create_service()
        self.show_configuration()
        self.show_routers()
        self.ask()
        self.kill_node()
        self.change_advertisement()

    def show_lab(self) -> None:
        """Wait for the sessions and show what runs."""
        self.stage.step("A small data centre")
        self.stage.say(
            "Two top-of-rack routers, three nodes and a client, each in a network namespace of its own. Routers and "
            "nodes run FRR; beside the FRR of each node runs an agent of frrsync."
        )
        started = time.monotonic()
        self.wait_ready()
        waited = time.monotonic() - started
        self.frrsync(f"lab status {self.lab.name} | sed -n 3,9p")
        self.stage.fact("built in", f"{self.built_in:.1f} s, all BGP and BFD sessions were up {waited:.1f} s later")

    def create_service(self) -> None:
        """Put the manifests into the folder; the routes have to be in both routers' kernels."""
        self.stage.step("A Service gets its addresses and is announced")
        self.stage.say(
            "A pool, an advertisement and a Service of type LoadBalancer, written as for a cluster, go into the folder "
            "that controller and agents watch."
        )
        folder = self.lab.folders.manifests
        files = sorted(MANIFESTS.glob("*.yaml"))
        since = time.time()
        for file in files:
            _write(folder / file.name, file.read_text("utf-8"))
        times = self.wait_routes(HOSTS, self.lab.nodes, since=since, seconds=30)
        self.shell(f"tail -n +2 {folder}/addresses.yaml")
        self.frrsync(f"status --node node-1 --run-dir {self.lab.folders.run} | tail -3")
        self.stage.fact("routes", f"from the files to the routers' kernels: {_spans(times, since)}")

    def show_configuration(self) -> None:
        """Show what concerns one router in the configuration of a node."""
        self.stage.step("The frr.conf of node-1")
        self.stage.say(
            "Only the lines about the session with tor-1 over IPv4 and about the Service: its prefix carries a tag, "
            "and the outbound route map sends what has this tag, with the community, and nothing else."
        )
        peer = next(end.own for end in self.lab.topology.neighborhoods("tor-1") if end.device.name == "node-1")
        address = str(peer.ipv4.ip).replace(".", r"\.") if peer.ipv4 else ""
        wanted = f"^route|tag|community|{address}| address|  network"
        self.frrsync(f"config desired --node node-1 --run-dir {self.lab.folders.run} |\n    grep -E '{wanted}'")

    def show_routers(self) -> None:
        """Show sessions and routes of one router."""
        self.stage.step("What a router has")
        self.stage.say("Each node announces the Service, so tor-1 has three equal next hops per address family.")
        self.router("tor-1", "show bgp summary | include Unicast|Neighbor |64700")
        self.router("tor-1", f"show ip route {HOSTS[0].partition('/')[0]}")
        self.router("tor-1", f"show ipv6 route {HOSTS[1].partition('/')[0]}")

    def ask(self) -> None:
        """Let the client ask and show who answered."""
        self.stage.step("Requests")
        self.stage.say("Each request is a new connection; each backend answers with the name of its node.")
        nodes = set(self.lab.nodes)
        for command in (f"fetch '{url}' -n 60 --output summary" for url in URLS):
            done = self.client.run(["sh", "-c", command])
            self.stage.command("client$", command, done.stdout + done.stderr)
            answered = {name for name in nodes if name in done.stdout}
            if done.returncode != 0 or answered != nodes:
                raise LabError(f"expected answers from {', '.join(sorted(nodes))} to {command!r}, found {done.stdout}")

    def kill_node(self) -> None:
        """Cut the power of a node under traffic, and let it come back."""
        self.stage.step(f"{VICTIM} loses its power")
        self.stage.say(
            f"The client begins a request every 10 ms, by IPv4 and IPv6 in turn. Then nothing leaves {VICTIM} any more "
            "(nftables drops it, so that no FIN or RST gives a hint) and everything on it gets SIGKILL: FRR, agent, "
            "backend. Only BFD can notice, after three missed packets at 100 ms. A connection that is open when the "
            "routers hash anew may break; one that is being opened waits until TCP sends its SYN again."
        )
        node = self.lab.nodes[VICTIM]
        rest = set(self.lab.nodes) - {VICTIM}
        with Traffic(self.client, URLS) as traffic:
            traffic.wait_answers(50)
            killed = time.time()
            self.nftables(VICTIM, _MUTE)
            node.kill()
            gone = self.wait_routes(HOSTS, rest, since=killed)
            traffic.wait_answers(100)
            requests = traffic.stop()
        peer = next(end.other for end in self.lab.topology.neighborhoods("tor-1") if end.device.name == VICTIM)
        address = peer.ipv4.ip if peer.ipv4 else ""
        reason = self.router("tor-1", f"show bgp neighbors {address} | include Last reset")
        if "BFD" not in reason:
            raise LabError(f"expected BFD to end the session of tor-1 with {VICTIM}, found {reason.strip()!r}")
        self.router("tor-1", f"show ip route {HOSTS[0].partition('/')[0]} | include , via")
        self.stage.fact("withdrawn", f"from the cut to the routers' kernels: {_spans(gone, killed)}")
        self.report(requests, excused=(killed - TIMEOUT, max(gone.values())))
        if slowest := [f"{time - killed:.1f} s" for time in gone.values() if time - killed > BFD_LIMIT]:
            raise LabError(f"expected BFD to take {VICTIM} out in well under a second, found {', '.join(slowest)}")
        self.revive_node()

    def revive_node(self) -> None:
        """Give the node its power back under traffic."""
        self.stage.step(f"{VICTIM} comes back")
        self.stage.say(
            "FRR starts with the frr.conf that the agent kept up to date, and the agent follows. Requests go on."
        )
        with Traffic(self.client, URLS) as traffic:
            traffic.wait_answers(50)
            revived = time.time()
            self.nftables(VICTIM, "delete table inet power_cut")
            self.lab.nodes[VICTIM].revive()
            back = self.wait_routes(HOSTS, self.lab.nodes, since=revived, seconds=40)
            traffic.wait_answers(100)
            requests = traffic.stop()
        self.wait_ready()
        self.router("tor-1", f"show ip route {HOSTS[0].partition('/')[0]} | include , via")
        self.stage.fact("back", f"from the start to the routers' kernels: {_spans(back, revived)}")
        self.report(requests)

    def change_advertisement(self) -> None:
        """Edit a manifest under traffic and see the change at the routers."""
        self.stage.step("A community and an aggregation length are changed")
        self.stage.say("An edit of one manifest, written to the folder while requests go on:")
        file = self.lab.folders.manifests / "addresses.yaml"
        before = after = file.read_text("utf-8")
        for old, new in EDIT:
            after = after.replace(old, new)
        names = (f"a/{file.name}", f"b/{file.name}")
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, n=1, lineterm="")
        self.stage.diff(lines)
        dropped = self.dropped()
        with Traffic(self.client, URLS) as traffic:
            traffic.wait_answers(50)
            written = time.time()
            _write(file, after)
            tagged = self.wait_community(NETWORKS, COMMUNITY)
            routes = self.wait_routes(NETWORKS, self.lab.nodes, since=written)
            self.wait_routes(HOSTS, (), since=written)
            traffic.wait_answers(100)
            requests = traffic.stop()
        self.router("tor-1", f"show bgp ipv4 unicast {NETWORKS[0]} | include entry|from|Community")
        self.router("tor-1", f"show bgp ipv6 unicast {NETWORKS[1]} | include entry|from|Community")
        self.stage.fact("routes", f"from the file to the routers' kernels: {_spans(routes, written)}")
        self.stage.fact("community", f"from the file to the BGP tables of both: {tagged - written:.3f} s")
        if self.dropped() != dropped:
            raise LabError(f"expected no session to be reset, found drops {self.dropped()} after {dropped}")
        self.stage.fact("sessions", "none was reset")
        self.report(requests)

    def look_around(self) -> None:
        """Say how to go on in another terminal."""
        self.stage.step("Look around, in another terminal")
        sudo = "sudo " if "SUDO_USER" in os.environ else ""
        frrsync, run, name = f"{sudo}{self.program}", f"--run-dir {self.lab.folders.run}", self.lab.name
        lines = (
            f"cd {Path.cwd()}",
            f"{frrsync} lab status {name}",
            f"{frrsync} status {run} --node node-1",
            f"{frrsync} config desired {run} --node node-1",
            f"{frrsync} vtysh {run} --node node-1 -- show bgp summary",
            f"{frrsync} lab exec --lab {name} tor-1 -- vtysh",
            f"{frrsync} lab exec --lab {name} tor-1 -- ip -tshort monitor route",
            f"{frrsync} lab exec --lab {name} client -- fetch {URLS[0]} -n 9",
            f"ls {self.lab.folders.manifests}    # edit them and watch; frrsync status names every mistake",
        )
        for line in lines:
            click.echo(f"  {line}")

    def report(self, requests: Sequence[Request], *, excused: tuple[float, float] = (0.0, 0.0)) -> None:
        """Print what became of the requests; LabError when too many failed that did not begin in the excused time."""
        failed = [item for item in requests if not item.ok]
        late = [item for item in requests if item.ok and item.milliseconds > 500]
        answered = Counter(item.text for item in requests if item.ok)
        seconds = requests[-1].started - requests[0].started
        counts = ", ".join(f"{name} {answered[name]}" for name in self.lab.nodes)
        self.stage.fact("requests", f"{len(requests)} in {seconds:.1f} s: {len(failed)} failed; answered by {counts}")
        if late:
            slowest = max(item.milliseconds for item in late) / 1000
            self.stage.fact("delayed", f"{len(late)} of them, by up to {slowest:.1f} s, until TCP sent their SYN again")
        if failed:
            self.stage.fact("failed", ", ".join(f"{text} ({n})" for text, n in Counter(x.text for x in failed).items()))
        broken = [item for item in failed if not excused[0] <= item.started <= excused[1]]
        if len(broken) * 20 > len(requests) or not all(answered[name] for name in self.lab.nodes):
            raise LabError(
                f"expected requests to go on and all nodes to answer, found {len(broken)} failures: {counts}"
            )


def _write(file: Path, text: str) -> None:
    """Write a file in one step for those who watch its folder."""
    partial_file = file.with_name(f".{file.name}.partial")
    partial_file.write_text(text, "utf-8")
    partial_file.replace(file)


def _spans(times: Mapping[tuple[str, str], float], since: float) -> str:
    """Return how long each router took, the slower address family counting."""
    routers = sorted({name for name, _ in times})
    slowest = {router: max(time for (name, _), time in times.items() if name == router) for router in routers}
    return ", ".join(f"{router} {time - since:.3f} s" for router, time in slowest.items())
