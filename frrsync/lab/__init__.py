"""A small data centre in network namespaces: routers and nodes with real FRR, and clients.

The demo, the tests and the benchmarks run on it, and so can anybody who wants to try a change first.
Nothing is installed or started on the host itself; what a lab makes carries the lab's name and goes
with it, even when the program that made it was killed.

Read in this order: ``topology`` (what is wished for), ``network`` (namespaces and links), ``rootfs``
(where FRR comes from), ``process`` and ``frr`` (what runs), ``device`` and ``lab`` (all of it together).
"""
