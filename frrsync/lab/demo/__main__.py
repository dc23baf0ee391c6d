"""``python -m frrsync.lab.demo``: build the lab, tell the story, wait, and leave nothing behind."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frrsync import log
from frrsync.errors import FrrsyncError, LabError
from frrsync.lab.demo.stage import Stage
from frrsync.lab.demo.story import Story
from frrsync.lab.lab import Lab, labs
from frrsync.lab.rootfs import VERSIONS
from frrsync.lab.topology_file import parse_topology, read_topology

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "demolab"
"""Not the name of a lab in the documentation: what a killed demo leaves is removed without asking."""

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Refuse a second demo beside the first; an abstract socket goes with its process, however that ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
        try:
            lock.bind(f"\0frrsync-demo-{name}")
        except OSError as error:
            raise LabError(
                f"a demo runs already, in the lab {name}: end it first, or give this one another --name"
            ) from error
        yield


@contextmanager
def lab_of_the_demo(name: str, frr: str, stage: Stage) -> Iterator[tuple[Lab, float]]:
    """Build the lab and take it down in every case; yield it with the seconds that building took."""
    if name in labs():
        stage.say(f"Removing what a killed demo left behind: lab {name}.")
        Lab.open(name).down()
    wanted = read_topology(Path("demo"), name=name)
    lab = Lab(parse_topology({**wanted.source, "frr": frr}))
    started = time.monotonic()
    try:
        lab.up()
        yield lab, time.monotonic() - started
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # a second Ctrl-C would make half a clean-up
        if name in labs():
            lab.down()


def demo(name: str, frr: str, *, once: bool) -> None:
    """Run the demo; the SystemExit of a signal ends it anywhere."""
    stage = Stage()
    started = time.monotonic()
    click.secho(f"frrsync demo: FRR {frr} in the lab {name}, half a minute; every number is measured now", bold=True)
    with only_one(name), lab_of_the_demo(name, frr, stage) as (lab, built_in), ExitStack() as stack:
        story = Story(lab, stage, built_in, stack)
        story.tell()
        told_in = time.monotonic() - started
        if not once:
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # from here on Ctrl-C is the proper end
            story.look_around()
            click.secho("\nAll of it runs until you press Ctrl-C, and is removed then.", bold=True)
            signal.sigwait(_STOPS)
    click.echo()
    stage.say(f"The demo took {told_in:.0f} s. Its lab has been removed: no process, namespace or route is left.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; exit code 0 after a whole demo, 1 when something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m frrsync.lab.demo", description=__doc__)
    environment = os.environ
    parser.add_argument("--frr", choices=VERSIONS, default=environment.get("DEMO_FRR") or VERSIONS[-1])
    parser.add_argument("--name", default=NAME, help="of the lab (%(default)s)")
    parser.add_argument("--once", action="store_true", default=environment.get("DEMO_ONCE", "") not in {"", "0"})
    given = parser.parse_args(arguments)
    log.set_up("warning")
    for signum in _STOPS:
        signal.signal(signum, lambda signum, _: sys.exit(128 + signum))
    try:
        demo(given.name, given.frr, once=given.once)
    except FrrsyncError as error:
        click.secho(f"\ndemo: {error}", fg="red", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
