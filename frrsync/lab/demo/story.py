"""The steps of the demo. Every line that looks like output is output; what is not as it should be is a LabError."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from frrsync.errors import LabError
from frrsync.frr.vty import VtySocket
from frrsync.lab import process
from frrsync.lab.demo.routes import RouteWatch
from frrsync.lab.demo.traffic import TIMEOUT, Traffic

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import ExitStack

    from frrsync.lab.demo.stage import Stage
    from frrsync.lab.demo.traffic import Request
    from frrsync.lab.lab import Lab

MANIFESTS = Path(__file__).parent / "manifests"
HOSTS = ("198.51.100.1/32", "2001:db8:5e::100/128")
NETWORKS = ("198.51.100.0/24", "2001:db8:5e::100/120")
URLS = ("http://198.51.100.1/", "http://[2001:db8:5e::100]/")
VICTIM = "node-2"
EDIT = (("aggregationLength: 32", "aggregationLength: 24"), ("V6: 128", "V6: 120"), ("64700:100", "64700:200"))
COMMUNITY = "64700:200"

# A process that is killed still says goodbye: the kernel closes its connections, and BGP hears that.
# A power cut says nothing, so nothing may leave the node from a moment before the kill.
_MUTE = (
    "table inet power_cut {"
    " chain out { type filter hook output priority -300; policy drop; };"
    " chain through { type filter hook forward priority -300; policy drop; };"
    "}"
)


class Story:
    """The demo on a lab that has just been built."""

    def __init__(self, lab: Lab, stage: Stage, built_in: float, stack: ExitStack) -> None:
        self.lab = lab
        self.stage = stage
        self.built_in = built_in
        self.client = lab.clients["client"]
        self.watches = {name: stack.enter_context(RouteWatch(router)) for name, router in lab.routers.items()}
        program = Path(sys.executable).parent / "frrsync"
        here = Path.cwd()
        self.program = str(program.relative_to(here) if program.is_relative_to(here) else program)

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
            "Two top-of-rack routers, three nodes and a client, each in a network namespace. Routers and nodes run FRR; "
            "beside the FRR of a node runs an agent of frrsync. Their peers and BFD profile are manifests, too."
        )
        started = time.monotonic()
        self.lab.wait_established(seconds=60)
        waited = time.monotonic() - started
        self.frrsync(f"lab status {self.lab.name} | head -9")
        self.stage.fact("built in", f"{self.built_in:.1f} s, all BGP sessions were up {waited:.1f} s later")

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
        self.shell(f"cd {folder}; ls; tail -n +2 addresses.yaml")
        self.agent(f"status --node node-1 --run-dir {self.lab.folders.run} | tail -3")
        self.stage.fact("routes", f"from the files to the kernels of the routers: {_milliseconds(times)}")

    def show_configuration(self) -> None:
        """Show what concerns one router in the configuration of a node."""
        self.stage.step("The frr.conf of node-1")
        self.stage.say(
            "Only the lines about the session with tor-1 over IPv4 and about the Service: its prefix carries a tag, and "
            "the outbound route map sends what has the tag, with its community, and denies the rest."
        )
        peer = next(end.own for end in self.lab.topology.neighborhoods("tor-1") if end.device.name == "node-1")
        address = str(peer.ipv4.ip).replace(".", r"\.") if peer.ipv4 else ""
        wanted = f"^route|tag|community|{address}| address|  network"
        self.agent(f"config desired --node node-1 --run-dir {self.lab.folders.run} |\n    grep -E '{wanted}'")

    def show_routers(self) -> None:
        """Show sessions and routes of one router."""
        self.stage.step("What a router has")
        self.stage.say("Each node announces the Service, so tor-1 has three equal next hops per address family.")
        self.router("tor-1", "show bgp summary terse")
        self.router("tor-1", f"show ip route {HOSTS[0].partition('/')[0]}")
        self.router("tor-1", f"show ipv6 route {HOSTS[1].partition('/')[0]}")

    def ask(self) -> None:
        """Let the client ask and show who answered."""
        self.stage.step("Requests")
        self.stage.say("Each request is a new connection; each backend answers with the name of its node.")
        nodes = set(self.lab.nodes)
        for command in (f"fetch {URLS[0]} -n 4", *(f"fetch '{url}' -n 60 --output summary" for url in URLS)):
            done = self.client.run(["sh", "-c", command])
            self.stage.command("client$", command, done.stdout + done.stderr)
            answered = {name for name in nodes if name in done.stdout}
            if done.returncode != 0 or ("summary" in command and answered != nodes):
                raise LabError(f"expected answers from {', '.join(sorted(nodes))} to {command!r}, found {done.stdout}")

    def kill_node(self) -> None:
        """Cut the power of a node under traffic, and let it come back."""
        self.stage.step(f"{VICTIM} loses its power")
        self.stage.say(
            f"The client begins a request every 10 ms, over IPv4 and IPv6 in turn, and goes on. Nothing leaves {VICTIM} "
            "any more (nftables: no FIN, no RST), and everything on it gets SIGKILL: FRR, agent, backend. "
            "Only BFD can notice: 100 ms, three times."
        )
        node = self.lab.nodes[VICTIM]
        rest = set(self.lab.nodes) - {VICTIM}
        with Traffic(self.client, URLS) as traffic:
            traffic.wait_answers(50)
            killed = time.time()
            self.on_victim(_MUTE)
            node.kill()
            gone = self.wait_routes(HOSTS, rest, since=killed)
            quiet = time.monotonic() + 1
            process.wait_until(lambda: time.monotonic() > quiet, what="one more second of requests")
            requests = traffic.stop()
        peer = next(end.other for end in self.lab.topology.neighborhoods("tor-1") if end.device.name == VICTIM)
        address = peer.ipv4.ip if peer.ipv4 else ""
        self.router("tor-1", f"show bgp neighbors {address} | include Last reset")
        self.router("tor-1", f"show ip route {HOSTS[0].partition('/')[0]}")
        self.stage.fact("withdrawn", f"from the cut to the kernels of the routers: {_milliseconds(gone)}")
        self.report(requests, cut=killed, withdrawn=max(gone.values()))
        if slowest := [f"{time - killed:.1f} s" for time in gone.values() if time - killed > BFD_LIMIT]:
            raise LabError(f"expected BFD to take {VICTIM} out in well under a second, found {', '.join(slowest)}")
        self.revive_node()

    def revive_node(self) -> None:
        """Give the node its power back under traffic."""
        self.stage.step(f"{VICTIM} comes back")
        self.stage.say("FRR starts with the frr.conf that the agent kept up to date; the agent follows. Requests go on.")
        with Traffic(self.client, URLS) as traffic:
            traffic.wait_answers(50)
            revived = time.time()
            self.on_victim("delete table inet power_cut")
            self.lab.nodes[VICTIM].revive()
            back = self.wait_routes(HOSTS, self.lab.nodes, since=revived, seconds=40)
            requests = traffic.stop()
        self.lab.wait_established(seconds=40)
        self.router("tor-1", f"show ip route {HOSTS[0].partition('/')[0]}")
        self.stage.fact("back", f"from the start to the kernels of the routers: {_milliseconds(back, revived)}")
        self.report(requests)
