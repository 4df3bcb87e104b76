"""Baselines beside our own phases, each in a process of its own, asked by turns."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from streamer.apps.bench.baselines import (
    BATCH,
    WORDS,
    BaselineName,
    BaselineSettings,
    Compiled,
    baseline_process,
    batch_latencies,
)
from streamer.apps.bench.report import Phase, Stage
from streamer.apps.bench.scenarios import Scenario
from streamer.apps.bench.session import Led
from streamer.apps.compose import DEFAULT_MODEL, ModelSettings
from streamer.errors import StreamerError
from streamer.package import load_package

IN_CALLBACK, IN_BATCH, COMPUTING = "in the callback", "waiting for the batch", "computing"
#: More frames than any round takes.
NO_LIMIT = 1_000_000


#: Keys of compiled networks by role.
Keys = Mapping[str, Sequence[Mapping[str, Any]]]


def _as_ours(keys: Keys, role: str) -> Compiled:
    key = keys[role][-1]
    return Compiled(engine=key["runtime"], precision=key["precision"], threads=key["threads"])


class Baselines:
    """What a user would write instead, each in a process of its own, asked by turns."""

    def __init__(self, scenario: Scenario, models: ModelSettings, ours: Keys) -> None:
        denoiser = load_package(models.model or DEFAULT_MODEL)
        segmenter = models.segmenter or denoiser.config.segmenter or ""
        #: Why some of them could not be measured.
        self.missing: list[str] = []
        self._ms: dict[BaselineName, list[list[float]]] = {}
        self._threads: dict[BaselineName, str] = {}
        self._led: dict[BaselineName, Led] = {}
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            for name in WORDS:
                told = BaselineSettings(
                    name=name,
                    denoiser=models.model or DEFAULT_MODEL,
                    segmenter=segmenter,
                    denoiser_by=_as_ours(ours, "denoiser"),
                    segmenter_by=_as_ours(ours, "segmenter"),
                    shape_yx=scenario.shape_yx,
                    channels=scenario.channels,
                )
                self._begin(name, opened.enter_context(Led(name, baseline_process, told)))
            self._open = opened.pop_all()

    def _begin(self, name: BaselineName, led: Led) -> None:
        """Wait until it is compiled, one after the other."""
        try:
            message = led.expect("ready", "missing")
        except StreamerError as error:
            message = {"missing": str(error)}
        if "missing" in message:
            self.missing.append(f"baseline {name}: not measured ({message['missing']})")
        else:
            self._led[name], self._ms[name], self._threads[name] = led, [], message["ready"]

    def round(self, seconds: float) -> None:
        """One round of each."""
        for name, led in self._led.items():
            self._ms[name].append(led.ask({"frames": NO_LIMIT, "seconds": seconds}, "ms"))

    def phases(self, scenario: Scenario) -> list[Phase]:
        """What came out."""
        return [self._phase(name, rounds, scenario) for name, rounds in self._ms.items()]

    def _phase(self, name: BaselineName, rounds: list[list[float]], scenario: Scenario) -> Phase:
        stage, words = Stage(name=IN_CALLBACK, rounds_ms=rounds), WORDS[name]
        values = stage.values_ms
        mean_ms = sum(values) / len(values)
        found = [stage]
        if name == "batches of 50":
            batches = [
                batch_latencies(sum(each) / len(each), scenario.interval_ms) for each in rounds if each
            ]
            latencies = [ms for batch in batches for ms in batch]
            words += (
                f". Mean {sum(latencies) / len(latencies) / 1e3:.3g} s, worst {max(latencies) / 1e3:.3g} s "
                f"at one frame every {scenario.interval_ms:.3g} ms; arrival times are the camera's, "
                f"computing was measured on {len(values)} frames and counted {BATCH} times"
            )
            found = [Stage(name=IN_BATCH, rounds_ms=batches), Stage(name=COMPUTING, rounds_ms=rounds)]
        return Phase(
            name=name,
            words=f"{words}; {self._threads[name]}",
            interval_ms=None,
            frames_per_s=1e3 / mean_ms,
            frames=None,
            stages=found,
        )

    def close(self) -> None:
        """End them."""
        self._open.close()
