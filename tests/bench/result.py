"""Rows of measurements, as a table for people and as JSON for comparison."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.table import Table

from frrsync import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Setting = dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured thing.

    Attributes:
        value: the median where there are samples; None when it was not bearable, and ``note`` says why.
        more: further figures in the same unit, such as p99.

    """

    what: str
    setting: Mapping[str, str | int]
    value: float | None
    unit: str
    more: Mapping[str, float] = field(default_factory=dict)
    samples: int = 1
    note: str = ""

    @classmethod
    def of_samples(cls, what: str, setting: Mapping[str, str | int], seconds: list[float]) -> Self:
        """Summarize durations in milliseconds."""
        ordered = sorted(value * 1000 for value in seconds)
        spread = statistics.quantiles(ordered, n=100, method="inclusive") if len(ordered) > 1 else ordered * 99
        return cls(
            what=what,
            setting=setting,
            value=statistics.median(ordered),
            unit="ms",
            more={"p99": spread[98], "max": ordered[-1]},
            samples=len(ordered),
        )


def print_table(rows: list[Row]) -> None:
    """Print every row, the median first."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("what", "setting", "median", "p99", "max", "samples"):
        table.add_column(name, justify="left" if name in {"what", "setting"} else "right", overflow="fold")
    for row in rows:
        setting = ", ".join(f"{name} {value}" for name, value in row.setting.items())
        value = row.note if row.value is None else f"{row.value:.4g} {row.unit}"
        spread = [f"{row.more[name]:.4g}" if name in row.more else "" for name in ("p99", "max")]
        table.add_row(row.what, setting, value, *spread, str(row.samples))
    Console(width=150 if not os.isatty(1) else None).print(table)


def write_json(rows: list[Row], path: Path) -> None:
    """Write the rows with what else must be known to compare them."""
    document = {
        "frrsync": __version__,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "rows": [asdict(row) for row in rows],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
