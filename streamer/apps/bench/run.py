"""Measure scenarios, one after the other."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from streamer.apps.bench.machine import all_versions, busy, commit, load_average, this_machine
from streamer.apps.bench.measuring import Tick, measure, sustained
from streamer.apps.bench.report import BenchReport, Measured
from streamer.apps.bench.scenarios import Budget, Form, Scenario, budget_of, chosen
from streamer.apps.bench.session import How
from streamer.apps.compose import ModelSettings, load_models
from streamer.errors import StreamerError, UsageError

#: What a recording may need before anything else: less room is refused.
FREE_BYTES = 2 << 30
#: The quick form takes no longer, and begins nothing more after so long.
QUICK_S, LAST_BEGINNING_S = 300.0, 215.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """What to measure.

    Attributes:
        scenarios: names; none for all.
        form: quick or full.
        baseline: measure what a user would write instead, too.
        models: the networks.
        segment_every: frames of a view from one that is segmented to the next; None takes the profile's.
        camera: replayed frames, or the simulated rig where frames are paced.
        folder: disk for recordings; None for the system's temporary folder.
        seconds: for each phase, instead of the form's.
        size_px: side of square frames, instead of the scenario's, to try things out.
    """

    scenarios: tuple[str, ...] = ()
    form: Form = "quick"
    baseline: bool = False
    models: ModelSettings = field(default_factory=ModelSettings)
    segment_every: int | None = None
    camera: Literal["replayed", "rig"] = "replayed"
    folder: Path | None = None
    seconds: float | None = None
    size_px: int | None = None

    def budgets(self) -> list[tuple[Scenario, Budget]]:
        """Scenarios with their time."""
        return [
            (
                scenario.shrunk(self.size_px),
                budget_of(scenario.name, self.form, baseline=self.baseline, seconds=self.seconds),
            )
            for scenario in chosen(self.scenarios)
        ]

    @property
    def planned_s(self) -> float:
        """About so long it takes."""
        return sum(budget.total_s for _, budget in self.budgets())


def bench(settings: BenchSettings, *, tick: Tick = lambda words, seconds: None) -> BenchReport:
    """Measure all scenarios; one that cannot be measured here is told in the warnings.

    Raises:
        KeyboardInterrupt: Ctrl-C; nothing is left behind.
        UsageError: a scenario, model or folder cannot be used.
        StreamerError: not one of them could be measured.
    """
    begun_s, date = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    load_before, machine = load_average(), this_machine()
    load_models(settings.models)  # a package that is missing or damaged is known now
    measured, failed = _all(settings, begun_s, tick)
    warnings = busy(load_before, machine.processors, "before") + failed
    changed = settings.size_px is not None or settings.seconds is not None
    if changed:
        warnings.append("sizes or times were changed by options: it shows that all runs, and measures little")
    return BenchReport(
        date=date,
        form="changed" if changed else settings.form,
        seconds=time.monotonic() - begun_s,
        machine=machine,
        versions=all_versions(),
        commit=commit(),
        load_before=load_before,
        load_after=load_average(),
        warnings=warnings,
        scenarios=measured,
    )


def _all(settings: BenchSettings, begun_s: float, tick: Tick) -> tuple[list[Measured], list[str]]:
    """The scenarios that were measured, and why others were not."""
    measured: list[Measured] = []
    failed: list[str] = []
    in_time = settings.form == "quick" and settings.seconds is None
    over_s = 0.0
    for scenario, budget in settings.budgets():

        def told(words: str, seconds: float, name: str = scenario.name, before_s: float = over_s) -> None:
            tick(f"{name}: {words}", before_s + seconds)

        if slower := _same_frames_not_kept_up_with(scenario, measured):
            measured.append(_as_measured(scenario, slower))
        elif in_time and time.monotonic() - begun_s > LAST_BEGINNING_S:
            over = f"the {QUICK_S / 60:.0f} minutes of the quick form are nearly over"
            failed.append(f"{scenario.name}: not measured, {over}; use --scenario {scenario.name}")
        else:
            try:
                measured.append(_one(scenario, budget, settings, told))
            except UsageError:
                raise
            except StreamerError as error:  # of a child: another scenario may do better
                failed.append(f"{scenario.name}: not measured ({error})")
        over_s += budget.total_s
    if not measured:
        raise StreamerError("; ".join(failed))
    return measured, failed


def _one(scenario: Scenario, budget: Budget, settings: BenchSettings, tick: Tick) -> Measured:
    with _place(settings.folder) as place:
        return measure(
            scenario,
            budget,
            place,
            how=How(
                models=settings.models,
                segment_every=settings.segment_every,
                rig=settings.camera == "rig" and bool(scenario.profile),
            ),
            tick=tick,
        )


def _same_frames_not_kept_up_with(scenario: Scenario, measured: list[Measured]) -> Measured | None:
    """One that gives the same frames at a lower rate, and already too fast: more would not be learned."""
    for one in measured:
        same = (one.shape_yx, one.channels) == (scenario.sensor_yx, scenario.channels)
        told = one.sustained
        if same and told and not told.sustained and told.rate_hz <= scenario.rate_hz:
            return one
    return None


def _as_measured(scenario: Scenario, slower: Measured) -> Measured:
    """The scenario by what was measured at its lower rate."""
    assert slower.sustained is not None
    note = f"phases: the frames are those of {slower.name}, which is not kept up with either; see there"
    return slower.model_copy(
        update={
            "name": scenario.name,
            "words": scenario.words,
            "sustained": sustained(scenario, slower.sustained.capacity_hz),
            "phases": [],
            "baselines": [],
            "not_measured": [note],
        }
    )


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    """A folder that is gone afterwards.

    Raises:
        UsageError: it cannot be made, or the disk is nearly full.
    """
    try:
        made = tempfile.mkdtemp(dir=folder, prefix="streamer-bench-")
    except OSError as error:
        raise UsageError(
            f"--folder {folder}: cannot be written ({error.strerror}); use another one"
        ) from None
    try:
        if (free := shutil.disk_usage(made).free) < FREE_BYTES:
            raise UsageError(
                f"{made}: {free / 1e9:.1f} GB free, recordings need {FREE_BYTES / 1e9:.1f} GB; "
                "use --folder on another disk"
            )
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
