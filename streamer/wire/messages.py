"""The messages besides `streamer.core.Frame`, as frozen records of JSON types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamer.core import Frame

#: What happens to frames that wait: all are processed, or only the newest (all are recorded either way).
Policy = Literal["lossless", "latest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """A hook announces its run, once per connection.

    Attributes:
        run: identity of the acquisition, the same after a reconnect.
        profile: name of the hardware profile the microscope runs under.
        policy: overload policy, "lossless" or "latest".
        planned: frames planned, 0 when open-ended.
        first_seq: the first frame that no processor has acknowledged; 0 in a new run.
        host: identity of the machine's monotonic clock; clocks of equal hosts may be compared.
        streamer: version of the hook's package, for the record.
    """

    run: str
    profile: str
    policy: str = "lossless"
    planned: int = 0
    first_seq: int = 0
    host: str = ""
    streamer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The hook is there, but has no frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """No frame follows.

    Attributes:
        acquired: frames the engine handed to the hook; what the processor lacks of them is missing.
    """

    acquired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The processor takes the run, from frame `next_seq` on."""

    next_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The processor does not take a message or a run, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A frame is safe in the recording and this is what the guards say of it."""

    seq: int
    processed: bool
    action: str
    reason: str = ""
    verdicts: list[object] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The recording is closed.

    Attributes:
        recorded: frames in the recording.
        missing: sequence numbers that never arrived.
        error: why the recording ended early; empty when it did not.
    """

    recorded: int
    missing: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """The hook has heard `Closed`.

    The processor waits for it, because a socket that closes takes along what the other side has not yet read.
    """


Message = Hello | Alive | End | Bye | Welcome | Refused | Report | Closed | Frame

#: JSON name of every message; `Frame` is the one with a third part.
KINDS: Mapping[str, type[Message]] = {
    "hello": Hello,
    "alive": Alive,
    "end": End,
    "bye": Bye,
    "welcome": Welcome,
    "refused": Refused,
    "report": Report,
    "closed": Closed,
    "frame": Frame,
}
