"""What all tiers share: the options of the test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.lab.rootfs import VERSIONS

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    parser.addoption("--frr", choices=VERSIONS, help="run tests that need FRR with this version only, not with both")
    parser.addoption("--update-golden", action="store_true", help="write what golden tests find as what they expect")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that asks for ``frr_version`` once per version."""
    if "frr_version" in metafunc.fixturenames:
        only = metafunc.config.getoption("--frr")
        metafunc.parametrize("frr_version", [only] if only else VERSIONS, scope="session")
