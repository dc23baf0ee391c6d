"""From writing a manifest to the route in the router's kernel table."""

from __future__ import annotations

import random
import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from bench.machines import NODE_ASN, ROUTER_ASN, ROUTER_IPV4, KernelTable, Site, cpu_seconds, frrsync_run, memory_mib
from bench.result import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion

BACKGROUND = IPv4Address("198.18.0.0")
CHANGING = IPv4Address("198.19.0.0")  # 198.18.0.0/15 is for benchmarks, RFC 2544
START_SECONDS = 180
MOST_KILLED = 1000
"""Up to this many Services FRR is killed as well; the router needs long to forget ten thousand routes."""

_RESOURCES = f"""apiVersion: v1
kind: Node
metadata:
  name: node1
  labels: {{kubernetes.io/hostname: node1}}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: bench, namespace: metallb-system}}
spec:
  addresses: [198.18.0.0/15]
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: bench, namespace: metallb-system}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: router, namespace: metallb-system}}
spec:
  myASN: {NODE_ASN}
  peerASN: {ROUTER_ASN}
  peerAddress: {ROUTER_IPV4}
"""

_SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: default
  annotations: {{metallb.io/loadBalancerIPs: {address}}}
spec:
  type: LoadBalancer
  selector: {{app: {name}}}
  ports: [{{port: 80}}]
"""

_SLICE = """apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}
  namespace: default
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
endpoints:
- addresses: [10.0.0.10]
  nodeName: node1
  conditions: {{ready: {ready}, serving: {ready}}}
ports: [{{port: 80}}]
"""


def measure(version: FrrVersion, services: int, changes: int) -> list[Row]:
    """Measure with so many Services in the folder; each change is made when the last one has arrived."""
    with Site(version) as site:
        manifests = site.folder / "manifests"
        manifests.mkdir()
        write_background(manifests, services)
        table = KernelTable(site)
        try:
            started = time.monotonic()
            with frrsync_run(site, manifests) as process:
                ready = table.wait_count(services, seconds=START_SECONDS) - started
                time.sleep(2)  # what the start leaves behind is not part of a change
                cpu = cpu_seconds(process.pid)
                samples = change_one_by_one(manifests, table, changes)
                cpu = (cpu_seconds(process.pid) - cpu) / sum(map(len, samples.values()))
                memory = memory_mib(process.pid)
                back = kill_frr(site, table, services) if services <= MOST_KILLED else None
        except TimeoutError as error:
            log = (site.folder / "frrsync.log").read_text("utf-8", "replace")[-2000:]
            raise TimeoutError(f"{error}\n{log}") from error
        finally:
            table.close()
    common = {"frr": version, "services": services}
    rows = [Row.of_samples(f"{what} -> router's kernel", common, values) for what, values in samples.items()]
    rows.append(Row(what="start of frrsync -> all routes at the router", setting=common, value=ready, unit="s"))
    rows.append(Row(what="processor time of one change", setting=common, value=cpu * 1000, unit="ms"))
    rows.append(Row(what="memory", setting=common, value=memory, unit="MiB"))
    if back is not None:
        rows.append(
            Row(what="FRR killed: it is up again -> all routes at the router", setting=common, value=back, unit="s")
        )
    return rows


def kill_frr(site: Site, table: KernelTable, services: int) -> float:
    """Return the seconds from an FRR that is up again, empty, to the last route in the router's kernel."""
    site.node.kill("bgpd")
    table.wait_present(0, seconds=START_SECONDS)
    site.node.restart("bgpd", load=False)
    started = time.monotonic()
    return table.wait_present(services, seconds=START_SECONDS) - started


def write_background(manifests: Path, services: int) -> None:
    """Write the resources, and a file with Service and endpoints for each Service that stays as it is."""
    (manifests / "resources.yaml").write_text(_RESOURCES, "ascii")
    for number in range(services):
        name = f"background-{number}"
        text = f"{_SERVICE}---\n{_SLICE}".format(name=name, address=BACKGROUND + number, ready="true")
        (manifests / f"{name}.yaml").write_text(text, "ascii")


def change_one_by_one(manifests: Path, table: KernelTable, changes: int) -> dict[str, list[float]]:
    """Create Services, take their endpoint away, give it back and delete them; return the seconds of each."""
    samples: dict[str, list[float]] = {}
    for number in range(changes):
        for what, seconds in _life_of_a_service(manifests, table, number):
            samples.setdefault(what, []).append(seconds)
            # Not in step with any clock of FRR or ours, and long enough that each change finds all at rest.
            time.sleep(random.uniform(0.15, 0.35))
    return samples


def _life_of_a_service(manifests: Path, table: KernelTable, number: int) -> Iterator[tuple[str, float]]:
    name, address = f"changing-{number}", CHANGING + number
    service, endpoints = manifests / f"{name}.yaml", manifests / f"{name}-endpoints.yaml"
    endpoints.write_text(_SLICE.format(name=name, ready="true"), "ascii")
    text = _SERVICE.format(name=name, address=address)

    def write(path: Path, text: str, *, present: bool) -> float:
        started = time.monotonic()
        path.write_text(text, "ascii")
        return table.wait(str(address), present=present) - started

    yield "new Service", write(service, text, present=True)
    yield "endpoint not ready", write(endpoints, _SLICE.format(name=name, ready="false"), present=False)
    yield "endpoint ready", write(endpoints, _SLICE.format(name=name, ready="true"), present=True)
    started = time.monotonic()
    service.unlink()
    yield "Service deleted", table.wait(str(address), present=False) - started
    endpoints.unlink()


def floor(version: FrrVersion, changes: int) -> Row:
    """Measure what is FRR's and the kernel's own part: one ``network`` line typed into bgpd's socket."""
    with Site(version) as site:
        table = KernelTable(site)
        try:
            samples = _type_networks(site, table, changes)
        finally:
            table.close()
    return Row.of_samples("reference: network line at bgpd's socket -> router's kernel", {"frr": version}, samples)


def _type_networks(site: Site, table: KernelTable, changes: int) -> list[float]:
    from frrsync.frr.vty import VtySocket

    bgpd = VtySocket(site.node.run_dir / "bgpd.vty", 10)
    router = ["configure terminal", f"router bgp {NODE_ASN}"]
    bgpd.configure(
        [
            *router,
            "no bgp network import-check",
            "no bgp ebgp-requires-policy",
            f"neighbor {ROUTER_IPV4} remote-as {ROUTER_ASN}",
            f"neighbor {ROUTER_IPV4} timers connect 1",
            "address-family ipv4 unicast",
            f"network {CHANGING + 60000}/32",
        ]
    )
    table.wait(str(CHANGING + 60000), present=True)
    time.sleep(2)
    samples = []
    for number in range(changes):
        started = time.monotonic()
        bgpd.configure([f"network {CHANGING + number}/32"])
        samples.append(table.wait(str(CHANGING + number), present=True) - started)
        time.sleep(random.uniform(0.15, 0.35))
    bgpd.close()
    return samples
