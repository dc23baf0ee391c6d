"""What the commands that give an agent an order share: durations, and what they print."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from frrsync.api.client import AgentClient
    from frrsync.settings import Settings

Document = dict[str, Any]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Duration(click.ParamType[float]):
    """A time such as ``90``, ``90s``, ``30m``, ``2h`` or ``1d``, as seconds."""

    name = "time"
    _form = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds, or fail with what is allowed."""
        if isinstance(value, int | float):
            return float(value)
        found = self._form.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no time: allowed are numbers with s, m, h or d, such as 30m", param, ctx)
        return float(found[1]) * _UNITS[found[2] or "s"]


def agent_of(settings: Settings) -> AgentClient:
    """Return the agent that an order is for; raises AgentUnavailable when there is none, or more than one."""
    from frrsync.api.client import AgentClient, find_agent

    return AgentClient(find_agent(settings.run_dir, settings.node))


def moment(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
