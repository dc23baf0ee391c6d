"""Fixtures of the golden tier: a real FRR of each version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from golden.boot import BootedFrr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion


@pytest.fixture(scope="session")
def booted_frr(frr_version: FrrVersion) -> Iterator[BootedFrr]:
    """Provide an FRR of the version that can be booted from any text."""
    frr = BootedFrr(frr_version, f"frrsync-golden-{os.getpid()}-{frr_version}")
    yield frr
    frr.close()
