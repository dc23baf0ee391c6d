"""frrsync: LoadBalancer addresses for bare-metal Kubernetes, announced by the FRR beside it.

Reading order: ``core`` (every decision, no I/O), then ``frr.tree`` and ``frr.diff`` (what has to be
sent), then ``agent`` (the loop that ties them to a folder of manifests and a running FRR).
"""

__version__ = "0.1.0"
