"""A camera in a process of its own: simulated frames, or a simulated rig, through the real hook."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.apps.children import ignore_terminal_signals
from streamer.errors import StreamerError
from streamer.hook import Hook
from streamer.simulation import LOW_DOSE, Scene, SceneSettings
from streamer.wire import Policy

#: Different frames that take turns; simulated up to this size, and mirrored to fill a larger sensor.
FRAMES, SIMULATED_PX = 6, 600
PIXEL_NM, FRAME_S = 20.0, 0.6
SEED = 1
#: Between two looks at how many verdicts have come.
LOOK_S = 5e-4
#: Between two looks at whether anybody still waits.
ASK_S = 0.5
#: Longest wait for verdicts without one coming.
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """What the camera's process needs to know; plain values, so that it survives a spawn.

    Attributes:
        profile: name or path of the hardware profile.
        endpoint: of the processor.
        sensor_yx: of a frame.
        policy: of the hook.
        spool_dir: where frames wait that memory does not hold.
        rig: expose with the simulated rig on Pycro-Manager's engine where frames are paced.
    """

    profile: str
    endpoint: str
    sensor_yx: tuple[int, int]
    policy: Policy
    spool_dir: Path
    rig: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Expose frames until `frames` or `seconds` are over, whatever comes first, but at least `least`.

    Attributes:
        interval_ms: between frames; None for as fast as verdicts come, with `window` frames on their way.
        wait: for the verdicts before answering.
    """

    frames: int
    seconds: float
    least: int = 3
    interval_ms: float | None = None
    window: int = 6
    wait: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """What became of an order.

    Attributes:
        first: number of its first frame.
        end_ns: end of each exposure, monotonic clock.
        waiting: frames without a verdict when the last one was exposed.
    """

    first: int
    end_ns: list[int]
    waiting: int


def camera_process(told: tuple[CameraSettings, Connection], link: Connection) -> None:
    """Target of a spawned process.

    Sends {"ready": true}; answers each `Order` that comes through the other connection with {"exposed": ...};
    at its end, or the parent's, ends the run and sends {"report": counts of the hook, "lag_ms": of each
    processed frame in order}, or {"error": one line, "exit_code": int} at any time.
    """
    settings, orders = told
    ignore_terminal_signals()

    def say(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            link.send_bytes(json.dumps(message, default=str).encode())

    try:
        images = simulated(settings.sensor_yx)
        with contextlib.ExitStack() as open_things:
            camera = Camera(settings, images, open_things, lambda: orders.poll(0))
            say({"ready": True})
            with contextlib.suppress(EOFError, OSError):
                while told_to := orders.recv_bytes(4096):
                    order = Order(**json.loads(told_to))
                    say({"exposed": asdict(camera.expose(order))})
            report = camera.close()
        say({"report": report})
    except StreamerError as error:
        say({"error": str(error), "exit_code": error.exit_code})


def simulated(sensor_yx: tuple[int, int]) -> list[NDArray[np.uint16]]:
    """[y, x] frames of a simulated ER at a low dose, each with its own shot noise."""
    height, width = sensor_yx
    field = min(height, SIMULATED_PX), min(width, SIMULATED_PX)
    scene = Scene(SceneSettings(seed=SEED, shape_yx=field, pixel_nm=PIXEL_NM))
    counts = (scene.expose(index, index * FRAME_S, LOW_DOSE).counts for index in range(FRAMES))
    missing = ((0, height - field[0]), (0, width - field[1]))
    return [np.ascontiguousarray(np.pad(each, missing, mode="symmetric")) for each in counts]


class Camera:
    """Exposes for one hook.

    Args:
        settings: where and how.
        images: what is exposed, by turns.
        open_things: closes a rig at the end.
        given_up: whether nobody waits for an answer any more.

    Attributes:
        hook: the real one.
        exposed: frames that it was given so far.
    """

    def __init__(
        self,
        settings: CameraSettings,
        images: list[NDArray[np.uint16]],
        open_things: contextlib.ExitStack,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._images, self._given_up = images, given_up
        self.exposed = 0
        self.hook = Hook(
            profile=settings.profile,
            endpoint=settings.endpoint,
            policy=settings.policy,
            spool_dir=settings.spool_dir,
        )
        self._rig = _Rig(settings, open_things) if settings.rig else None

    def expose(self, order: Order) -> Exposed:
        """Expose as told."""
        first = self.exposed
        if self._rig is not None and order.interval_ms is not None:
            end_ns = self._rig.expose(self, order, order.interval_ms)
        else:
            end_ns = list(self._played(order))
        waiting = self._waiting()
        if order.wait:
            self._await(0)
        return Exposed(first=first, end_ns=end_ns, waiting=waiting)

    def close(self) -> dict[str, Any]:
        """End the run; counts of the hook, and the lag of each processed frame."""
        self.hook.close(PATIENCE_S)
        report = self.hook.report()
        return {
            "acquired": report.acquired,
            "acknowledged": report.acknowledged,
            "lost": report.lost,
            "kept": str(report.kept or ""),
            "problem": report.problem or report.unsafe or "; ".join(report.errors[:3]),
            "lag_ms": report.lag_ms,
        }

    def _played(self, order: Order) -> Iterator[int]:
        """Ends of exposures of frames that were made before."""
        started_s = time.monotonic()
        for number in range(order.frames):
            if number >= order.least and time.monotonic() - started_s > order.seconds:
                return
            if order.interval_ms is None:
                self._await(order.window - 1)
                end_ns = time.monotonic_ns()
            else:
                end_ns = _sleep_until(round(1e9 * started_s + 1e6 * (number + 1) * order.interval_ms))
            image = self._images[self.exposed % len(self._images)]
            tags = {"Axes": {"time": self.exposed}, "Exposure": order.interval_ms or 0.0}
            self.exposed += 1
            self.hook.image_process_fn(image, tags)
            yield end_ns

    def _waiting(self) -> int:
        report = self.hook.report()
        return report.acquired - report.acknowledged - report.lost - report.rejected

    def _await(self, most: int) -> None:
        """Until no more than `most` frames wait for their verdict, or none comes any more."""
        before, since_s = self._waiting(), time.monotonic()
        asked_s = since_s
        while (waiting := self._waiting()) > most:
            now_s = time.monotonic()
            if waiting < before:
                before, since_s = waiting, now_s
            if now_s - asked_s > ASK_S:
                asked_s = now_s
                if self._given_up():
                    self.hook.close(0.0)
                    raise StreamerError("the measurement was given up")
            if now_s - since_s > PATIENCE_S:
                raise StreamerError(f"no verdict for {PATIENCE_S:.0f} s; look at the lines above")
            time.sleep(LOOK_S)


def _sleep_until(due_ns: int) -> int:
    """Sleep; the end of the exposure.

    A camera does not wait: a frame that is due while the hook still has the one before it was exposed when it
    was due. Where it is only this process that the system wakes too late, the camera is late, not the hook.
    """
    left_ns = due_ns - time.monotonic_ns()
    if left_ns <= 0:
        return due_ns
    time.sleep(left_ns / 1e9)
    return time.monotonic_ns()


class _Rig:
    """The simulated microscope on a real acquisition engine, whose frames go through the same hook."""

    def __init__(self, settings: CameraSettings, open_things: contextlib.ExitStack) -> None:
        self._settings, self._open_things = settings, open_things
        self._open: Any = None

    def expose(self, camera: Camera, order: Order, interval_ms: float) -> list[int]:
        """Ends of exposures of one acquisition, whose frames have all reached the hook."""
        from streamer.microscope import Plan, run_acquisition  # needs the extra [demo]

        if self._open is None:
            self._open = self._open_things.enter_context(self._rig(interval_ms))
        frames = max(order.least, min(order.frames, int(order.seconds * 1e3 / interval_ms)))
        done = run_acquisition(self._open, Through(camera), Plan(time_points=frames))
        return [exposure.end_ns for exposure in done.exposures]

    @contextlib.contextmanager
    def _rig(self, interval_ms: float) -> Iterator[Any]:
        from streamer.microscope import open_rig, scene_settings
        from streamer.profile import load_profile

        profile = load_profile(self._settings.profile)
        scene = scene_settings(profile, seed=SEED, shape_yx=self._settings.sensor_yx, bleaching=0.0)
        # The engine prints its troubles; stdout belongs to the command that started this process.
        with contextlib.redirect_stdout(sys.stderr), open_rig(profile, scene, frame_ms=interval_ms) as rig:
            yield rig


class Through:
    """The hook as an acquisition sees it; its frames go on counting from one acquisition to the next."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self.attach, self.events, self.stop = camera.hook.attach, camera.hook.events, camera.hook.stop

    def image_process_fn(
        self, image: NDArray[Any], metadata: dict[str, Any]
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Hand over one frame, with all that the engine says of it."""
        self._camera.exposed += 1
        return self._camera.hook.image_process_fn(image, metadata)
