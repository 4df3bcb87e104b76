"""One scenario: its phases and baselines take turns, round by round."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from streamer.apps.bench.beside import NO_LIMIT, Baselines
from streamer.apps.bench.camera import Exposed, Order
from streamer.apps.bench.report import Measured, Phase, Sustained
from streamer.apps.bench.scenarios import Budget, Scenario
from streamer.apps.bench.session import Ended, How, Session, engine_keys
from streamer.apps.bench.timeline import frames_of, frames_per_s, numbers, stages

#: Told what is being done, and how many of the planned seconds are over.
Tick = Callable[[str, float], None]

#: One frame after the other, so that those that count meet warm caches.
WARM_UP = Order(frames=8, seconds=2.0, least=2, window=1)
#: Frames on their way in the saturated phase; fewer where less than `SLOW_HZ` of them come back a second.
WINDOW, WINDOW_OF_SLOW, SLOW_HZ = 8, 3, 0.7
#: At the end of a paced phase that keeps up, frames on their way are few, or came within this time.
WAITING_MAX, BEHIND_MS = 3, 250.0
IDLE, SATURATED, OVERLOAD = "idle", "saturated", "at the camera's rate"

ON_SCREEN = (
    "on screen: not measured, because painting needs a browser; in a checkout, with Chromium installed, "
    "`python -m bench.preview --only screen --out screen.json` measures exposure end to painted pixels"
)
ON_DISK_MEANS = (
    "on disk means that the row stands with the operating system: it survives a crash of the program, and a "
    "power cut only as far as the disk has written what it was given"
)
REPLAYED = "frames simulated beforehand and replayed through the real hook, in a process of its own"
RIG = f"paced frames: the simulated rig on Pycro-Manager's engine; as fast as it goes: {REPLAYED}"


@dataclass(slots=True)
class _Rounds:
    """What was exposed.

    Attributes:
        window: frames on their way in the saturated phase.
        paced: whether the camera's rate was kept up with in the first round, and idle frames come at it.
        idle, saturated: round by round.
        spent_s: of the plan.
    """

    spent_s: float
    window: int = WINDOW
    paced: bool = True
    idle: list[Exposed] = field(default_factory=list)
    saturated: list[Exposed] = field(default_factory=list)


def measure(scenario: Scenario, budget: Budget, place: Path, *, how: How, tick: Tick) -> Measured:
    """Idle, saturated, baselines, and what happens at a rate that is not kept up with.

    Args:
        scenario: the camera.
        budget: seconds of each phase.
        place: an empty folder on the disk that is recorded on.
        how: the networks, and who exposes.
        tick: told how far it is.

    Raises:
        UsageError: profile or models cannot be used.
        StreamerError: one of the processes failed.
    """
    tick("compiling networks, making frames", 0.0)
    with contextlib.ExitStack() as stack:
        baselines = None
        main = stack.enter_context(_emptied(place / "main"))
        session = stack.enter_context(Session(scenario, how, main, policy="lossless"))
        if budget.baseline:  # compiled as ours are, whatever `auto` has taken
            made = Baselines(scenario, how.models, session.engine_keys())
            baselines = stack.enter_context(contextlib.closing(made))
        rounds = _take_turns(scenario, budget, session, baselines, tick)
        tick("closing the recording", rounds.spent_s)
        ended = session.end()
    phases = [_idle(scenario, ended, rounds), _saturated(ended, rounds)]
    kept_up = sustained(scenario, phases[1].frames_per_s, phases[0] if rounds.paced else None)
    if kept_up and not kept_up.sustained and budget.overload:
        tick(OVERLOAD, rounds.spent_s)
        phases.append(_overload(scenario, budget, place, replace(how, rig=False)))
    denoiser, segmenter = ended.info.packages
    problem = [f"the hook says: {ended.problem}"] if ended.problem else []
    return Measured(
        name=scenario.name,
        words=scenario.words,
        shape_yx=scenario.sensor_yx,
        channels=scenario.channels,
        camera=RIG if how.rig else REPLAYED,
        model=denoiser.id,
        segmenter=segmenter.id,
        segment_every=how.segment_every or 1,
        engines=engine_keys(ended.info),
        sustained=kept_up,
        phases=phases,
        baselines=baselines.phases(scenario) if baselines else [],
        not_measured=[ON_SCREEN, ON_DISK_MEANS, *(baselines.missing if baselines else []), *problem],
    )


def sustained(scenario: Scenario, capacity_hz: float | None, paced: Phase | None = None) -> Sustained | None:
    """Whether so many frames a second are enough; None where nobody knows how many come out.

    `paced` is a phase at the camera's own rate: where frames waited in it, what came out there counts.
    """
    if capacity_hz is None:
        return None
    waited = paced.frames.waited_at_the_end if paced and paced.frames else 0
    if paced and (waited - WAITING_MAX) * scenario.interval_ms > BEHIND_MS:
        capacity_hz = min(capacity_hz, paced.frames_per_s or capacity_hz)
    enough = capacity_hz >= scenario.rate_hz
    short_by = 1.0 if enough else scenario.rate_hz / capacity_hz
    counts = f"{capacity_hz:.3g} frames/s come out, the camera gives {scenario.rate_hz:.3g}"
    return Sustained(
        rate_hz=scenario.rate_hz,
        capacity_hz=capacity_hz,
        sustained=enough,
        short_by=short_by,
        words=f"sustained: {counts}"
        if enough
        else f"NOT sustained: {counts}: short by a factor of {short_by:.2g}",
    )


def _take_turns(
    scenario: Scenario, budget: Budget, session: Session, baselines: Baselines | None, tick: Tick
) -> _Rounds:
    """All rounds; where a frame takes long, one round of few frames on their way will do."""
    rounds, count = _Rounds(budget.start), budget.rounds
    warm_hz = frames_per_s([session.expose(WARM_UP).end_ns])
    if warm_hz is not None and warm_hz < SLOW_HZ:
        rounds.window, count = WINDOW_OF_SLOW, 1
    seconds = replace(
        budget, idle=budget.idle / count, saturated=budget.saturated / count, baseline=budget.baseline / count
    )
    for number in range(count):

        def told(words: str, round_number: int = number + 1) -> None:
            tick(f"round {round_number} of {count}, {words}", rounds.spent_s)

        told(SATURATED)
        flat_out = Order(frames=NO_LIMIT, seconds=seconds.saturated, window=rounds.window)
        rounds.saturated.append(session.expose(flat_out))
        rounds.spent_s += seconds.saturated
        if number == 0:
            rounds.paced = _keeps_up(scenario, rounds.saturated[0], rounds.window)
        told(IDLE)
        interval_ms = scenario.interval_ms if rounds.paced else None
        one_by_one = Order(frames=NO_LIMIT, seconds=seconds.idle, interval_ms=interval_ms, window=1, least=2)
        rounds.idle.append(session.expose(one_by_one))
        rounds.spent_s += seconds.idle
        if baselines:
            told("baselines")
            baselines.round(seconds.baseline)
            rounds.spent_s += 3 * seconds.baseline
    return rounds


def _keeps_up(scenario: Scenario, first: Exposed, window: int) -> bool:
    """Whether frames came back at the camera's rate in the first saturated round."""
    # Frames are given when verdicts come: the ends of exposures tell how fast that was.
    rate_hz = frames_per_s([first.end_ns[window:] if len(first.end_ns) > window + 1 else first.end_ns])
    return rate_hz is None or rate_hz >= scenario.rate_hz


def _idle(scenario: Scenario, ended: Ended, rounds: _Rounds) -> Phase:
    if rounds.paced:
        words = f"one frame every {scenario.interval_ms:.3g} ms, the camera's own pace"
        return _phase(IDLE, words, ended, rounds.idle, scenario.interval_ms)
    words = (
        "one frame at a time, each exposed when the verdict of the one before is back, because the camera's "
        f"own {scenario.interval_ms:.3g} ms are not kept up with"
    )
    return _phase(IDLE, words, ended, rounds.idle, None)


def _saturated(ended: Ended, rounds: _Rounds) -> Phase:
    words = (
        f"as fast as verdicts come, {rounds.window} frames on their way: here a frame waits for the others"
    )
    return _phase(SATURATED, words, ended, rounds.saturated, None)


def _overload(scenario: Scenario, budget: Budget, place: Path, how: How) -> Phase:
    """What happens at the camera's real rate: everything is recorded, the newest frames are processed."""
    height, width = scenario.sensor_yx
    frames = min(int(budget.overload * scenario.rate_hz), budget.held_bytes // (2 * height * width))
    order = Order(frames=max(frames, 3), seconds=budget.overload, interval_ms=scenario.interval_ms)
    with (
        _emptied(place / "latest") as latest,
        Session(scenario, how, latest, policy="latest") as session,
    ):
        session.expose(WARM_UP)
        exposed = session.expose(order)
        ended = session.end()
    rows = [ended.clocks.rows[seq]["row"] for seq in numbers(exposed) if seq in ended.clocks.rows]
    became, written_per_s = frames_of(ended.clocks, [exposed]), frames_per_s([rows]) or 0.0
    words = (
        f"one frame every {scenario.interval_ms:.3g} ms under the policy latest: {became.recorded} of "
        f"{became.exposed} frames recorded ({written_per_s:.3g} a second), {became.processed} of them "
        f"processed, {became.passed_over} passed over and marked so, {became.lost} lost"
    )
    return _phase(OVERLOAD, words, ended, [exposed], scenario.interval_ms)


def _phase(name: str, words: str, ended: Ended, rounds: list[Exposed], interval_ms: float | None) -> Phase:
    back_ns = ended.clocks.back_ns
    times = [[back_ns[seq] for seq in numbers(each) if seq in back_ns] for each in rounds]
    return Phase(
        name=name,
        words=words,
        interval_ms=interval_ms,
        frames_per_s=frames_per_s(times),
        frames=frames_of(ended.clocks, rounds),
        stages=stages(ended.clocks, rounds),
    )


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A new folder that is gone afterwards: one recording at a time is on the disk."""
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
