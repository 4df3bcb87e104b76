"""What is new to pages, put into words once for all that know the same and look at the same."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import fields, replace

from streamer.preview.server import telling
from streamer.preview.server.ahead import photons_of
from streamer.preview.server.telling import Now, Told
from streamer.reading import View, WatchedRun

#: So long the same words may be said: they name the time.
SHARED_S = 0.2


class States:
    """States of one recording; used by the thread that owns it.

    Args:
        run: the recording.

    Attributes:
        made: states that were put together so far, whoever they were for.
    """

    def __init__(self, run: WatchedRun) -> None:
        self.made = 0
        self._run = run
        self._moment: tuple[object, ...] = ()
        self._until_s = 0.0
        self._said: dict[Hashable, tuple[list[str], Told]] = {}

    def new(self, view: View | None, now: Now, told: Told) -> list[str]:
        """What is new since `told`, which is up to date afterwards; see `telling.state`."""
        self._forget(now)
        # Curves come in one order: as many are the same ones.
        known = (told.rows, len(told.keys), told.log, told.views, told.forecast)
        key = (*known, photons_of(view, told.keys))
        if key not in self._said:
            self.made += 1
            after = replace(told)
            self._said[key] = telling.state(self._run, view, now, after), after
        texts, after = self._said[key]
        for each in fields(Told):
            setattr(told, each.name, getattr(after, each.name))
        return texts

    def _forget(self, now: Now) -> None:
        run, now_s = self._run, time.monotonic()
        moment = (run.series.rows, run.log.total, len(run.index.views()), now)
        if moment != self._moment or now_s >= self._until_s:
            self._said.clear()
            self._moment, self._until_s = moment, now_s + SHARED_S
