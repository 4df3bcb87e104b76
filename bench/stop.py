"""From the processor's decision to stop to dark lasers and an ended engine."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.beside import PATIENCE_S, listen
from bench.measure import Asked, Options, Row, percentiles
from streamer import Hook
from streamer.apps.children import Child
from streamer.core import CONTINUE, Decision, Outcome
from streamer.microscope import SimulatedRig, open_rig, scene_settings
from streamer.microscope.plan import Plan, pycromanager_events, useq_events
from streamer.microscope.unicore import open_acquisition
from streamer.profile import load_profile

PROFILE = "simulated_sted"
SHAPE_YX = (48, 48)
EXPOSURE_MS = 10.0
SEED = 3
TITLE = "Stopping"
METHOD = f"""\
Simulated rig, {SHAPE_YX[0]}x{SHAPE_YX[1]} px, {EXPOSURE_MS:g} ms exposure. Another process decides to stop
after a few frames, at a random moment of an exposure. From just before the report is sent, one clock: to
`make_safe` having returned, to the acquisition having ended by itself. Through `hook.events` the exposure
in progress is finished first, so the time beyond the end of the last exposure is given as well. All ways
take turns."""
#: No run gets so far.
PLAN = Plan(time_points=2000)
#: Frames after which the decision comes.
FRAMES_BEFORE = 5
SAFE_MS = 20.0
#: Stops of each engine.
STOPS, QUICK_STOPS = 100, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop, in ms from the decision; `beyond_ms` from the end of the last exposure, if that was later."""

    safe_ms: float
    ended_ms: float
    beyond_ms: float


#: Runs an acquisition until it has ended; the hook is told of make_safe.
Run = Callable[[SimulatedRig, Hook, Callable[[], None]], None]


def run(options: Options) -> list[Row]:
    """Three rows for each engine and way to end it."""
    each = QUICK_STOPS if options.quick else STOPS
    stops: dict[str, list[Stop]] = {name: [] for name in WAYS}
    profile = load_profile(PROFILE)
    scene = scene_settings(profile, seed=SEED, shape_yx=SHAPE_YX)
    with (
        Child("decider", decide, each * len(WAYS), if_it_dies="a measurement is lost") as decider,
        open_rig(profile, scene, frame_ms=EXPOSURE_MS) as rig,
    ):
        for _ in range(each):
            for name, (way, _) in WAYS.items():
                stops[name].append(_one_stop(rig, way, decider, options))
    return [row for name, done in stops.items() for row in _rows(name, done)]


def decide(stops: int, link: Connection) -> None:
    """Target of the deciding process: a run for each stop."""
    moments = random.Random(SEED)
    for _ in range(stops):
        source, decided_ns, taken = listen(PROFILE), 0, 0
        link.send_bytes(json.dumps({"ready": source.endpoint}).encode())
        source.wait_for_hook()
        for frame in source.frames():
            taken += 1
            decision = CONTINUE
            if taken == FRAMES_BEFORE:
                time.sleep(moments.uniform(0, EXPOSURE_MS / 1e3))
                decision = Decision(action="stop", reason="a measured stop")
                decided_ns = time.monotonic_ns()
            source.reply(Outcome(frame=frame, decision=decision))
        source.close(taken)
        link.send_bytes(json.dumps({"decided_ns": decided_ns}).encode())


def _one_stop(rig: SimulatedRig, way: Run, decider: Child, options: Options) -> Stop:
    safe_ns: list[int] = []

    def make_safe() -> None:
        rig.make_safe()
        safe_ns.append(time.monotonic_ns())

    hook = Hook(PROFILE, decider.expect("ready"), spool_dir=options.folder)
    rig.arm()
    way(rig, hook, make_safe)
    ended_ns = time.monotonic_ns()
    hook.close(PATIENCE_S)
    decided_ns = decider.expect("decided_ns")
    last_ns = max(decided_ns, rig.camera.log[-1].end_ns)
    return Stop(
        safe_ms=(safe_ns[0] - decided_ns) / 1e6,
        ended_ms=(ended_ns - decided_ns) / 1e6,
        beyond_ms=(ended_ns - last_ns) / 1e6,
    )


def _through_hook_events(rig: SimulatedRig, hook: Hook, make_safe: Callable[[], None]) -> None:
    with open_acquisition(hook.image_process_fn) as acquisition:
        hook.attach(acquisition, make_safe=make_safe, core=rig.core)
        acquisition.acquire(hook.events(pycromanager_events(PLAN)))


def _by_abort(rig: SimulatedRig, hook: Hook, make_safe: Callable[[], None]) -> None:
    with open_acquisition(hook.image_process_fn) as acquisition:
        hook.attach(acquisition, make_safe=make_safe, core=rig.core)
        acquisition.acquire(pycromanager_events(PLAN))


def _pymmcore_plus(rig: SimulatedRig, hook: Hook, make_safe: Callable[[], None]) -> None:
    hook.attach(rig.core.mda, make_safe=make_safe)
    rig.core.mda.run(hook.events(useq_events(PLAN)))


#: How an engine is run and ended, and the p99 asked of its end in ms.
WAYS: Mapping[str, tuple[Run, float]] = {
    "Pycro-Manager Python backend, hook.events": (_through_hook_events, 50.0),
    "Pycro-Manager Python backend, abort": (_by_abort, 50.0),
    "pymmcore-plus, hook.events": (_pymmcore_plus, 100.0),
}


def _rows(name: str, stops: list[Stop]) -> Iterator[Row]:
    load = f"one exposure of {EXPOSURE_MS:g} ms after the other, not saturated"

    def row(what: str, samples: list[float], asked_ms: float | None) -> Row:
        asked = None if asked_ms is None else Asked(figure="p99", at="most", limit=asked_ms)
        return Row(what=f"{name}: {what}", load=load, unit="ms", figures=percentiles(samples), asked=asked)

    yield row("laser safe", [stop.safe_ms for stop in stops], SAFE_MS)
    yield row("engine ended", [stop.ended_ms for stop in stops], WAYS[name][1])
    yield row("beyond the last exposure", [stop.beyond_ms for stop in stops], None)
