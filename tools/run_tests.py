"""Run the test tiers one after the other and end with one summary.

Each tier is one pytest run, so its progress and its closing line stand in the
output as pytest writes them. The counts of the summary come from pytest's JUnit
files, never from its text.

    tools/run_tests.py                   core, golden and topology
    tools/run_tests.py golden -- -k bfd  one tier, with options for pytest
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

TIERS = {
    "core": "not frr and not topology and not soak",
    "golden": "frr and not topology and not soak",
    "topology": "topology and not soak",
    "soak": "soak",
}
DEFAULT_TIERS = ("core", "golden", "topology")
NO_TESTS = 5  # pytest's exit status
NEEDS_ROOT = ("golden", "topology", "soak")


@dataclass(frozen=True, slots=True, kw_only=True)
class TierResult:
    """What one pytest run left behind."""

    name: str
    minutes: float
    exit_status: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def word(self) -> str:
        """Say how the tier ended; a run that broke off has no count to speak of."""
        if self.exit_status == 0:
            return "ok"
        if self.exit_status == NO_TESTS:
            return "no test selected"
        return "FAILED" if self.failed else f"BROKE OFF (pytest exit status {self.exit_status})"


def read_counts(report: Path) -> tuple[int, int, int]:
    """Return passed, failed and skipped of a JUnit file; zeros when pytest did not live to write it."""
    if not report.exists():
        return 0, 0, 0
    passed = failed = skipped = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314  written by our own pytest run
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        out = int(suite.get("skipped", 0))
        failed, skipped = failed + bad, skipped + out
        passed += int(suite.get("tests", 0)) - bad - out
    return passed, failed, skipped


def run_tier(name: str, pytest_options: list[str]) -> TierResult:
    """Run one tier in the foreground and read its counts."""
    print(f"\n=== {name} tests ===", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "junit.xml")
        command = [sys.executable, "-m", "pytest", "-m", TIERS[name], f"--junitxml={report}", *pytest_options]
        exit_status = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
        passed, failed, skipped = read_counts(report)
    return TierResult(
        name=name,
        minutes=(time.monotonic() - started) / 60,
        exit_status=exit_status,
        passed=passed,
        failed=failed,
        skipped=skipped,
    )


def print_summary(results: list[TierResult]) -> None:
    """Print one line per tier and, last, the sum in the form that CI systems read."""
    print("\n=== summary ===")
    for result in results:
        print(
            f"{result.name:<10} {result.minutes:5.1f} min  {result.passed:5d} passed  {result.failed:3d} failed"
            f"  {result.skipped:3d} skipped  {result.word}",
        )
    passed, failed, skipped = (
        sum(getattr(result, field) for result in results) for field in ("passed", "failed", "skipped")
    )
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped", flush=True)


def main() -> int:
    """Run the tiers asked for; 0 only when none failed and each had tests, or a selection left it without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tiers", nargs="*", metavar="TIER", help=f"{', '.join(TIERS)}")
    argv = sys.argv[1:]
    split = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_args(argv[:split])
    for tier in arguments.tiers:
        if tier not in TIERS:
            parser.error(f"tier {tier!r} is not one of {', '.join(TIERS)}")
    tiers = arguments.tiers or DEFAULT_TIERS
    if os.geteuid() != 0 and set(tiers) & set(NEEDS_ROOT):
        parser.error(f"the tiers {', '.join(NEEDS_ROOT)} make network namespaces: run as root, as make does")
    results = [run_tier(tier, argv[split + 1 :]) for tier in tiers]
    print_summary(results)
    fine = {0, NO_TESTS} if "-k" in argv[split:] and any(result.passed for result in results) else {0}
    return int(any(result.exit_status not in fine for result in results))


if __name__ == "__main__":
    sys.exit(main())
