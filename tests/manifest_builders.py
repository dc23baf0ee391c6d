"""Manifests as an operator writes them: what makes one announced Service, for commands that read folders."""

from __future__ import annotations

POOL = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: metallb-system}
spec: {addresses: [198.51.100.0/28]}
"""
ADVERTISEMENT = """\
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: metallb-system}
"""
"""Without a spec, which may follow."""
PEER = """\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, password: s3cret}
"""


def service(name: str) -> str:
    """Return the text of a Service."""
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
"""


def endpoint(name: str) -> str:
    """Return the text of the Service's EndpointSlice: one endpoint, on node n1."""
    return f"""\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 80}}]
endpoints: [{{addresses: [10.0.0.1], nodeName: n1, conditions: {{ready: true}}}}]
"""


def one_file(*texts: str) -> str:
    """Return the manifests as the text of one file."""
    return "---\n".join(texts)
