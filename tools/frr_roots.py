"""Make the folders with Debian's FRR that the lab and the tests run, side by side.

tools/frr_roots.py --missing 8.4 10.3   print those that are not there
tools/frr_roots.py 8.4 10.3             make them (root, debootstrap, half a minute each)
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.errors import LabError
from frrsync.lab.rootfs import VERSIONS, cache_folder, rootfs

if TYPE_CHECKING:
    from frrsync.lab.rootfs import FrrVersion


def make(version: FrrVersion) -> str:
    """Make one root and tell how long it took."""
    started = time.monotonic()
    folder = rootfs(version)
    return f"FRR {version} is in {folder} ({time.monotonic() - started:.0f} s)"


def main() -> int:
    """Make the roots in parallel: each waits for the network half of its time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", action="store_true", help="print those that are not there and stop")
    parser.add_argument("versions", nargs="+", choices=VERSIONS, metavar="VERSION")
    options = parser.parse_args()
    missing = [version for version in options.versions if not (cache_folder() / f"frr-{version}").is_dir()]
    if options.missing:
        print(*missing)
        return 0
    log.set_up("warning")  # what is made is printed below
    with ThreadPoolExecutor() as pool:
        try:
            for line in pool.map(make, missing):
                print(f"setup: {line}", flush=True)
        except LabError as error:
            print(f"setup: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
