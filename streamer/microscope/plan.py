"""What is to be acquired, as the events of either engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from useq import MDAEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Time points, each of all positions, each of all channels, each a stack; an axis left empty is left out.

    Attributes:
        time_points: how many.
        positions: (x, y) of the stage in um, by name.
        channels: presets of the config group "Channel".
        z_um: places of the focus drive.
    """

    time_points: int
    positions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    z_um: tuple[float, ...] = ()

    @property
    def frames(self) -> int:
        """How many frames that makes."""
        stack = max(len(self.channels), 1) * max(len(self.z_um), 1)
        return self.time_points * max(len(self.positions), 1) * stack


def pycromanager_events(plan: Plan) -> Iterator[dict[str, Any]]:
    """The plan as Pycro-Manager's dicts."""
    for time, position, channel, z in _places(plan):
        axes: dict[str, int | str] = {"time": time}
        event: dict[str, Any] = {"axes": axes}
        if position is not None:
            axes["position"] = position
            event["x"], event["y"] = plan.positions[position]
        if channel is not None:
            axes["channel"] = channel
            event["config_group"] = ["Channel", channel]
        if z is not None:
            axes["z"], event["z"] = z, plan.z_um[z]
        yield event


def useq_events(plan: Plan) -> Iterator[MDAEvent]:
    """The plan as useq events."""
    positions = list(plan.positions)
    for time, position, channel, z in _places(plan):
        index = {"t": time}
        event: dict[str, Any] = {"index": index}
        if position is not None:
            index["p"] = positions.index(position)
            event["pos_name"] = position
            event["x_pos"], event["y_pos"] = plan.positions[position]
        if channel is not None:
            index["c"] = plan.channels.index(channel)
            event["channel"] = {"config": channel, "group": "Channel"}
        if z is not None:
            index["z"], event["z_pos"] = z, plan.z_um[z]
        yield MDAEvent(**event)


def _places(plan: Plan) -> Iterator[tuple[int, str | None, str | None, int | None]]:
    return itertools.product(
        range(plan.time_points),
        plan.positions or [None],
        plan.channels or [None],
        range(len(plan.z_um)) or [None],
    )
