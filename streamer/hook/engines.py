"""What an acquisition engine is to the hook: its name, its end, its frames; by public names only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def is_runner(engine: Any) -> bool:
    """Whether this is pymmcore-plus' MDA runner (`core.mda`)."""
    return hasattr(getattr(engine, "events", None), "frameReady")


def name_of(engine: Any) -> str:
    """Package and class, for the record."""
    return f"{type(engine).__module__.partition('.')[0]} {type(engine).__name__}"


def core_of(engine: Any) -> Any:
    """The core that an engine is known to drive; None where it does not say."""
    return getattr(getattr(engine, "engine", None), "mmcore", None) if is_runner(engine) else None


def connect(engine: Any, frame_ready: Callable[[Any, Any, Any], None]) -> Callable[[], None]:
    """Have a runner hand over its frames, until the answer is called; others do so by themselves."""
    if not is_runner(engine):
        return lambda: None
    signal = engine.events.frameReady
    signal.connect(frame_ready)
    return lambda: signal.disconnect(frame_ready)


def end_of(engine: Any) -> Callable[[], None]:
    """How an engine is ended from any thread, events that wait and all."""
    if is_runner(engine):
        cancel: Callable[[], None] = engine.cancel
        return cancel

    def abort() -> None:
        engine.abort()
        # abort() also empties the queue of the closing None that a pending generator waits for.
        engine.mark_finished()

    return abort


def alive_of(engine: Any) -> Callable[[], bool]:
    """Whether an engine may still deliver a frame, as far as it says."""
    if is_runner(engine):
        running: Callable[[], bool] = engine.is_running
        return running

    if any(kind.__name__ == "PythonBackendAcquisition" for kind in type(engine).__mro__):
        return lambda: not engine.get_dataset().is_finished()
    return lambda: True  # the Java backend would open its files to tell
