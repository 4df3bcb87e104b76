"""The JSON of a measurement: what it holds, and reading it back without believing it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from streamer.apps.bench.figures import figures
from streamer.errors import SourceError

#: Of the layout of the JSON; a reader refuses another one.
VERSION: Literal[1] = 1
#: Nothing that this command writes is larger, holds more lists of a kind, or longer values.
MAX_BYTES, MAX_ITEMS, MAX_TEXT = 1 << 26, 256, 2000
#: A list of numbers as `json` indents it; no text can hold such a line break.
_NUMBERS = re.compile(r"\[\n([-+.,\de\s]+)\]")

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Count = Annotated[int, Field(ge=0, le=10**9)]
#: A duration in ms, or a rate: finite, not negative, below a year.
Amount = Annotated[float, Field(ge=0, le=4e10, allow_inf_nan=False)]
Load = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
#: A difference of two clocks that do not tick together may be a little below 0.
Duration = Annotated[float, Field(ge=-1e6, le=4e10, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Machine(_Part):
    """What the numbers depend on; two measurements are compared only where all of it is the same.

    Attributes:
        cpu: the processor's own name.
        instruction_set: the widest one that networks use.
        cores: physical cores that the process may use.
        processors: logical ones.
        memory_gb: of the machine, 0 where it does not tell.
        gpu: name and driver of each; empty without one.
        system: operating system.
    """

    cpu: Text
    instruction_set: Name
    cores: Count
    processors: Count
    memory_gb: Amount
    gpu: Text
    system: Text


class Stage(_Part):
    """Times of one stage in ms, round by round."""

    name: Name
    rounds_ms: Annotated[
        list[Annotated[list[Duration], Field(max_length=1_000_000)]], Field(max_length=10_000)
    ]

    @property
    def values_ms(self) -> list[float]:
        """Of all rounds."""
        return [ms for each in self.rounds_ms for ms in each]

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def figures(self) -> Mapping[str, int | float | str]:
        """n, percentiles and max; for whoever reads the file by eye: they are computed, never read back."""
        return figures(self.values_ms)


class Frames(_Part):
    """What became of the frames of a phase; nothing is dropped without being counted here.

    Attributes:
        exposed: that the camera gave to the hook.
        recorded: whose pixels and row stand.
        processed: denoised, segmented and judged.
        passed_over: recorded, but not processed, because newer ones had come (policy `latest` alone).
        lost: that the hook had to give up.
        waited_at_the_end: had no verdict yet when the last one was exposed.
    """

    exposed: Count
    recorded: Count
    processed: Count
    passed_over: Count
    lost: Count
    waited_at_the_end: Count


class Phase(_Part):
    """One way of exposing frames, or of doing without us.

    Attributes:
        name: "idle", "saturated", "at the camera's rate", or a baseline's.
        words: how it was measured.
        interval_ms: between frames; None as fast as it goes.
        frames_per_s: that came out.
        frames: what became of them; None for a baseline.
        stages: times by stage.
    """

    name: Name
    words: Text
    interval_ms: Amount | None
    frames_per_s: Amount | None
    frames: Frames | None
    stages: Annotated[list[Stage], Field(max_length=MAX_ITEMS)]

    def stage(self, name: str) -> Stage | None:
        """The stage of that name."""
        return next((stage for stage in self.stages if stage.name == name), None)


class Sustained(_Part):
    """Whether a scenario's rate is kept up.

    Attributes:
        rate_hz: frames a second that the camera gives.
        capacity_hz: that come out with all stages at work, as fast as it goes.
        sustained: the second is not below the first.
        short_by: their ratio where it is not, else 1.
        words: the same as a sentence.
    """

    rate_hz: Amount
    capacity_hz: Amount
    sustained: bool
    short_by: Amount
    words: Text


class Measured(_Part):
    """One scenario.

    Attributes:
        name: of the scenario.
        words: what camera that is.
        shape_yx: of the sensor's frames.
        channels: that each is cut into.
        camera: who exposed the frames.
        model, segmenter: the packages.
        segment_every: frames from one that is segmented to the next.
        engines: keys of the compiled networks by role.
        sustained: whether it keeps up.
        phases: idle, saturated, and where it does not keep up, at the camera's rate.
        baselines: what a user would write instead, in the same rounds.
        not_measured: what was not, and how to.
    """

    name: Name
    words: Text
    shape_yx: tuple[Count, Count]
    channels: Count
    camera: Text
    model: Name
    segmenter: Name
    segment_every: Count
    engines: dict[str, list[dict[str, Any]]]
    sustained: Sustained | None
    phases: Annotated[list[Phase], Field(max_length=MAX_ITEMS)]
    baselines: Annotated[list[Phase], Field(max_length=MAX_ITEMS)]
    not_measured: Annotated[list[Text], Field(max_length=MAX_ITEMS)]

    def phase(self, name: str) -> Phase | None:
        """The phase or baseline of that name."""
        return next((phase for phase in (*self.phases, *self.baselines) if phase.name == name), None)


class BenchReport(_Part):
    """A whole measurement.

    Attributes:
        schema_version: of this layout.
        date: when it began, UTC.
        form: quick or full, or that the sizes were changed, which makes it no measurement.
        seconds: it took.
        machine, versions: what it ran on.
        commit: of the checkout it ran from; empty outside of one.
        load_before, load_after: load average of a minute; None where the system does not tell.
        warnings: why not to trust the numbers.
        scenarios: what was measured.
    """

    kind: Literal["streamer-bench"] = "streamer-bench"
    schema_version: Literal[1] = VERSION
    date: Name
    form: Literal["quick", "full", "changed"]
    seconds: Amount
    machine: Machine
    versions: dict[str, Text]
    commit: Text
    load_before: Load | None
    load_after: Load | None
    warnings: Annotated[list[Text], Field(max_length=MAX_ITEMS)]
    scenarios: Annotated[list[Measured], Field(max_length=MAX_ITEMS)]

    def scenario(self, name: str) -> Measured | None:
        """The scenario of that name."""
        return next((one for one in self.scenarios if one.name == name), None)


def write_report(report: BenchReport, path: Path) -> None:
    """As JSON, each list of numbers on a line of its own."""
    text = json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def read_report(path: Path) -> BenchReport:
    """What `write_report` has written.

    Raises:
        SourceError: there is no such file, or it is none of ours; one line with the cure.
    """
    cure = "give a file that `streamer bench --json` of this version has written"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"{path}: larger than {MAX_BYTES >> 20} MB; {cure}")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); {cure}") from None
    except (ValueError, RecursionError):
        raise SourceError(f"{path}: is no JSON; {cure}") from None
    if not isinstance(content, dict) or content.get("kind") != "streamer-bench":
        raise SourceError(f"{path}: is no measurement of streamer bench; {cure}")
    if content.get("schema_version") != VERSION:
        found = str(content.get("schema_version"))[:20]
        raise SourceError(f"{path}: schema_version = {found}; this version reads {VERSION}, measure again")
    try:
        return BenchReport.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:100]
        raise SourceError(f"{path}: {place}: {first['msg']}; {cure}") from None
