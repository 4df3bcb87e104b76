"""Events of either engine, Pycro-Manager's dicts and useq's `MDAEvent`, read and changed alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: An event as an engine takes it.
Event = Any


def one_by_one(events: Iterable[Event]) -> Iterator[Event]:
    """Single events, also of lists of them: an engine merges a list, and drops its `properties` unapplied."""
    for event in events:
        if isinstance(event, list | tuple):
            yield from event
        else:
            yield event


def changed(event: Event, *, exposure_ms: float | None, properties: Mapping[tuple[str, str], float]) -> Event:
    """A copy of `event` with another exposure and more device properties, and without a start time.

    The start time is left out because it is waited for before the event is handed on: Pycro-Manager's
    `abort()` would keep a core busy until then.
    """
    is_dict = isinstance(event, Mapping)
    own = event.get("properties") if is_dict else event.properties
    kept = [entry for entry in own or () if (entry[0], entry[1]) not in properties]
    # Text, because the Java backend takes nothing else.
    added = [(device, name, f"{value:.10g}") for (device, name), value in properties.items()]
    update: dict[str, Any] = {} if exposure_ms is None else {"exposure": exposure_ms}
    if is_dict:
        update |= {"properties": [list(entry) for entry in (*kept, *added)]} if kept or added else {}
        return {name: value for name, value in event.items() if name != "min_start_time"} | update
    update |= {"min_start_time": None, "properties": [*kept, *added] if kept or added else own}
    return event.model_copy(update=update)


def start_s(event: Event) -> float | None:
    """When an event may start, from the start of the run; None for at once."""
    value = event.get("min_start_time") if isinstance(event, Mapping) else event.min_start_time
    return None if value is None else float(value)


def resets_clock(event: Event) -> bool:
    """Whether start times count from this event on."""
    return bool(getattr(event, "reset_event_timer", False))


def time_point(event: Event) -> object:
    """The event's place on the time axis."""
    if isinstance(event, Mapping):
        return event.get("axes", {}).get("time")
    return event.index.get("t")


def takes_image(event: Event) -> bool:
    """Whether a frame follows: useq knows actions that take none, such as autofocus."""
    action = getattr(event, "action", None)
    return action is None or getattr(action, "type", "") == "acquire_image"
