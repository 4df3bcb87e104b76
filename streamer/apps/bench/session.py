"""One run to be measured: a camera, a processor and a view, each where it is in a live run."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from streamer.apps.bench.camera import CameraSettings, Exposed, Order, camera_process
from streamer.apps.bench.inside import timed_processor
from streamer.apps.bench.scenarios import Scenario
from streamer.apps.bench.timeline import Clocks, read_stamps, verdict_times
from streamer.apps.children import Child
from streamer.apps.compose import ModelSettings
from streamer.apps.processor import ProcessorSettings
from streamer.errors import StreamerError
from streamer.preview import Feed
from streamer.recording import RunFolder, RunInfo, read_info
from streamer.wire import Policy

ANY_PORT = "tcp://127.0.0.1:*"
#: Between two looks at whether another process has failed.
LOOK_S = 0.2
LOST = "the measurement is lost"


def engine_keys(info: RunInfo) -> dict[str, list[dict[str, Any]]]:
    """Those of a run, by role."""
    return TypeAdapter(dict[str, list[dict[str, Any]]]).validate_python(info.engine_keys)


class Led:
    """A child that is told what to do through a connection of its own, one JSON object at a time.

    Args:
        name, target, settings: as of `Child`; the target gets (settings, connection).
        beside: children whose failure ends the wait for this one.
    """

    def __init__(
        self,
        name: str,
        target: Callable[[Any, Connection], None],
        settings: object,
        beside: tuple[Child, ...] = (),
    ) -> None:
        self._orders, theirs = multiprocessing.get_context("spawn").Pipe()
        self._beside = beside
        self.child = Child(name, target, (settings, theirs), if_it_dies=LOST)
        theirs.close()

    def ask(self, order: Mapping[str, Any], key: str) -> Any:
        """Tell it to do something; its answer."""
        with contextlib.suppress(OSError):  # why it is gone, it says by itself
            self._orders.send_bytes(json.dumps(order).encode())
        return self.expect(key)

    def expect(self, *keys: str) -> Any:
        """Wait for a message that holds one of `keys`.

        Raises:
            StreamerError: it failed, or one of those beside it.
        """
        while True:
            message = self.child.hear(LOOK_S)
            for key in keys:
                if message and key in message:
                    return message[key] if len(keys) == 1 else message
            for other in self._beside:
                if other.has_news():
                    other.hear()  # raises what ended it
                    raise StreamerError(f"the {other.name} ended before its time; {LOST}")

    def no_more(self) -> None:
        """Nothing further is asked for."""
        self._orders.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: Any) -> None:
        self.no_more()
        self.child.__exit__(*failed)


class View(threading.Thread):
    """Hears what a run says of itself, as the page and the terminal do; when, by frame."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(name="bench-view", daemon=True)
        self.told_ns: dict[int, int] = {}
        self._endpoint, self._over = endpoint, threading.Event()
        self.start()

    def run(self) -> None:
        """Until `close`."""
        with Feed(self._endpoint) as feed:
            while not self._over.is_set():
                if (snapshot := feed.newest(LOOK_S)) is not None:
                    self.told_ns.setdefault(snapshot.seq, time.monotonic_ns())

    def close(self) -> None:
        """Hear nothing more."""
        self._over.set()
        self.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that is over.

    Attributes:
        clocks: of its frames.
        info: its run.json.
        problem: what the hook complains of; empty where nothing.
    """

    clocks: Clocks
    info: RunInfo
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What is the same in all runs of a measurement.

    Attributes:
        models: the networks.
        segment_every: as in `ProcessorSettings`.
        rig: expose paced frames with the simulated rig.
    """

    models: ModelSettings = field(default_factory=ModelSettings)
    segment_every: int | None = None
    rig: bool = False


class Session:
    """Processor, camera and view of one run; use it in a `with`.

    Args:
        scenario: the camera.
        how: the networks, and who exposes.
        place: an empty folder for profile, recording and spool.
        policy: of the hook.
    """

    def __init__(self, scenario: Scenario, how: How, place: Path, *, policy: Policy) -> None:
        self._place = place
        self._end_ns: dict[int, int] = {}
        self._open = contextlib.ExitStack()
        profile = scenario.profile_in(place)
        processing = ProcessorSettings(
            profile=profile,
            out=place / "run",
            endpoint=ANY_PORT,
            shape_yx=scenario.sensor_yx,
            models=how.models,
            segment_every=how.segment_every,
            dry_run=True,  # a guard that finds fault with simulated frames must not end the measurement
        )
        told = (processing, place / "stamps.jsonl")
        with contextlib.ExitStack() as opened:
            self._processor = opened.enter_context(Child("processor", timed_processor, told, if_it_dies=LOST))
            ready = self._processor.expect("ready")
            view = View(ready["preview"])
            opened.callback(view.close)
            self._told_ns = view.told_ns
            imaging = CameraSettings(
                profile=profile,
                endpoint=ready["endpoint"],
                sensor_yx=scenario.sensor_yx,
                policy=policy,
                spool_dir=place / "spool",
                rig=how.rig,
            )
            self._camera = opened.enter_context(
                Led("camera", camera_process, imaging, beside=(self._processor,))
            )
            self._camera.expect("ready")
            self._open = opened.pop_all()

    def engine_keys(self) -> dict[str, list[dict[str, Any]]]:
        """Keys of the compiled networks by role; the processor says that it is ready once they stand."""
        return engine_keys(read_info(RunFolder(self._place / "run")))

    def expose(self, order: Order) -> Exposed:
        """Have the camera expose; what became of it."""
        exposed = Exposed(**self._camera.ask(asdict(order), "exposed"))
        self._end_ns |= dict(enumerate(exposed.end_ns, exposed.first))
        return exposed

    def end(self) -> Ended:
        """Close the recording; all that is known of its frames."""
        self._camera.no_more()
        report = self._camera.expect("report")
        self._processor.expect("summary")
        self._open.close()
        rows = read_stamps(self._place / "stamps.jsonl")
        clocks = Clocks(
            end_ns=self._end_ns,
            rows=rows,
            back_ns=verdict_times(rows, report["lag_ms"]),
            told_ns=self._told_ns,
        )
        return Ended(clocks=clocks, info=read_info(RunFolder(self._place / "run")), problem=report["problem"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: Any) -> None:
        self._open.__exit__(*failed)
