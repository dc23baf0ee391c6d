"""Measure frrsync on this machine and print a table.

Compare figures of one run only: absolute times depend on the machine and on what else runs on it.
That is why each kind of figure has a reference beside it, taken in the same run.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import apply, latency, scale
from bench.result import print_table, write_json
from frrsync import log
from frrsync.lab.rootfs import VERSIONS

if TYPE_CHECKING:
    from bench.result import Row
    from frrsync.lab.rootfs import FrrVersion

LATENCY_SIZES = {100: 100, 1_000: 60, 10_000: 40}  # Services in the folder: changes measured among them
APPLY_SIZES = (1_000, 10_000, 50_000)
PARTS = ("latency", "apply", "scale")
SCALE_PEERS = (1, 4, 32)
RELOAD_LIMIT_SECONDS = 120.0


def say(text: str) -> None:
    """Tell what is being measured; the table is printed at the end."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def measure(version: FrrVersion, options: argparse.Namespace) -> list[Row]:
    """Measure everything that was asked for on one version of FRR."""
    rows: list[Row] = []
    if "latency" in options.only:
        say(f"FRR {version}: reference of the way to the router's kernel")
        rows.append(latency.floor(version, 20))
        for services, changes in LATENCY_SIZES.items():
            say(f"FRR {version}: manifest -> router's kernel at {services} Services")
            rows += latency.measure(version, services, changes)
    if "apply" in options.only:
        for prefixes in APPLY_SIZES[: 1 if options.quick else None]:
            say(f"FRR {version}: apply at {prefixes} prefixes")
            for row in apply.measure(version, prefixes, options.reload_limit):
                say(f"  {row.what} by {row.setting['by']}: {row.note or f'{row.value:.4g} ms'}")
                rows.append(row)
    if "scale" in options.only:
        with tempfile.TemporaryDirectory(prefix="frrbench-") as folder:
            for prefixes, peers in itertools.product(APPLY_SIZES[: 1 if options.quick else None], SCALE_PEERS):
                say(f"FRR {version}: {prefixes} prefixes to {peers} peers")
                for row in scale.measure(version, prefixes, peers, Path(folder) / str(prefixes)):
                    say(f"  {row.what}: {row.value:.4g} {row.unit}")
                    rows.append(row)
    return rows


def main() -> None:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frr", choices=VERSIONS, action="append", help="version to measure (default: all)")
    parser.add_argument("--only", choices=PARTS, action="append", help="part (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--reload-limit", type=float, default=RELOAD_LIMIT_SECONDS, help="seconds for frr-reload.py")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where to write the figures")
    options = parser.parse_args()
    options.only = options.only or PARTS
    if options.quick:
        del LATENCY_SIZES[1_000], LATENCY_SIZES[10_000]
    log.set_up("warning")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the namespaces go
    rows: list[Row] = []
    for version in options.frr or VERSIONS:
        rows += measure(version, options)
        write_json(rows, options.json)  # after each version: hours of figures are not lost to one failure
    print_table(rows)
    say(f"the figures are in {options.json}")


if __name__ == "__main__":
    main()
