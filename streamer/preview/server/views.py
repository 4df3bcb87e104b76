"""Which view a page gets: it chooses position, channel and z one by one, and not every combination exists."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from streamer.reading import View

AXES = ("position", "channel", "z")


class Choice:
    """What one page looks at; used by the thread that owns the recording.

    Attributes:
        wanted: what it last wanted.
        view: what it got for that; None before it wanted anything.
    """

    def __init__(self) -> None:
        self.wanted: View | None = None
        self.view: View | None = None

    def among(self, views: Sequence[View], wanted: View) -> View:
        """The one that is wanted; where it does not exist the closest one, first of all in what has changed.

        So every view can be reached by one change after the other, whatever they were before.

        Args:
            views: all that exist, one at least.
            wanted: None and an empty channel want nothing certain.

        Raises:
            ValueError: a position, channel or z that none of them has.
        """
        if wanted in views:
            self.view = wanted
        elif wanted != self.wanted or self.view not in views:  # else it has only zoomed
            _check(views, wanted)
            self.view = _closest(views, wanted, self._changed(wanted), self.view)
        self.wanted = wanted
        assert self.view is not None
        return self.view

    def _changed(self, wanted: View) -> list[str]:
        """Axes that the page wants otherwise than before, whatever it got: it keeps what it has chosen."""
        if self.wanted is None:
            return []
        return [axis for axis in AXES if getattr(wanted, axis) != getattr(self.wanted, axis)]


def _check(views: Sequence[View], wanted: View) -> None:
    for axis in AXES:
        value, known = getattr(wanted, axis), {getattr(view, axis) for view in views}
        if value not in known and value not in (None, ""):
            raise ValueError(f"{axis} {value!r} is not in this run")


def _closest(views: Sequence[View], wanted: View, changed: Collection[str], shown: View | None) -> View:
    def alike(view: View, other: View | None, axes: Collection[str]) -> int:
        return sum(getattr(view, axis) == getattr(other, axis, None) for axis in axes)

    def closeness(view: View) -> tuple[float, ...]:
        as_wanted, as_shown = alike(view, wanted, AXES), alike(view, shown, AXES)
        return alike(view, wanted, changed), as_wanted, -_apart(view.z, wanted.z), as_shown

    return max(views, key=closeness)  # the first of those that are equally close


def _apart(one: object, other: object) -> float:
    """How far two numbers are from each other; names are all as far."""
    return abs(one - other) if isinstance(one, int) and isinstance(other, int) else 0.0
