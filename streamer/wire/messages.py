"""The messages besides `streamer.core.Frame`, as frozen records of JSON types; see `docs/wire.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamer.core import Frame

#: What happens to frames that wait: all are processed, or only the newest (all are recorded either way).
Policy = Literal["lossless", "latest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """A hook announces its run: first on every connection, and again when it has made its ring.

    Attributes:
        run: identity of the acquisition, the same after a reconnect.
        profile: name of the hardware profile the microscope runs under.
        policy: overload policy, "lossless" or "latest".
        planned: frames planned, 0 when open-ended.
        first_seq: the first frame that no processor has acknowledged; 0 in a new run.
        host: identity of the machine's monotonic clock; clocks of equal hosts may be compared.
        streamer: version of the hook's package, for the record.
        engine: the acquisition engine, for the record.
        camera: what the core reports of the camera: exposure_ms, binning, pixel_um, shape, bit_depth.
        ring: name of the shared memory in which pixels lie; empty where there is none.
        ring_nonce: what stands at the head of that memory; proves that both sides opened the same.
        ring_slots: how many frames it holds.
        slot_bytes: bytes from one slot to the next.
    """

    run: str
    profile: str
    policy: str = "lossless"
    planned: int = 0
    first_seq: int = 0
    host: str = ""
    streamer: str = ""
    engine: str = ""
    camera: Mapping[str, object] = field(default_factory=dict)
    ring: str = ""
    ring_nonce: str = ""
    ring_slots: int = 0
    slot_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The sender is there; each side says so about once a second, the hook with its counts.

    Attributes:
        waiting: frames that wait at the hook and have not been sent on this connection.
        sent: frames sent at least once.
        resent: sendings of a frame that had been sent before.
        spooled: frames that had to wait in the spool file.
        lost: frames given up because memory and spool were full.
    """

    waiting: int = 0
    sent: int = 0
    resent: int = 0
    spooled: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What the microscope really did about a decision.

    Attributes:
        action: the decision's action, or "make safe" where nobody watched.
        seq: the frame whose decision it was.
        ok: whether it was carried out.
        detail: what was done, or why not, in words.
        values: what was set, by quantity with unit.
        safe_ms: from the arrival of the decision to the light being safe; None where that was not asked.
        ended_ms: from the arrival of the decision to the engine having been told; None likewise.
        order: number of the `Order` that this answers; 0 where it answers a decision.
    """

    action: str
    seq: int
    ok: bool
    detail: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    safe_ms: float | None = None
    ended_ms: float | None = None
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """No frame follows.

    Attributes:
        acquired: frames the engine handed to the hook; what the processor lacks of them is missing.
    """

    acquired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The processor takes the run.

    Attributes:
        next_seq: the first frame it has not received.
        recorded_until: every frame before this one is safe in the recording: an acknowledgement.
        until: the hook may send frames before this one.
        shared: whether the processor reads the hook's ring.
        done: how many `Done` messages of this run it has.
    """

    next_seq: int
    recorded_until: int = 0
    until: int = 0
    shared: bool = False
    done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The hook may send frames before `until`."""

    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The processor does not take a message or a run, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A frame is safe in the recording and this is what the guards say of it.

    Attributes:
        seq: the frame; those before it are safe as well.
        processed: whether it was denoised, segmented and judged.
        action: what the policy wants done: continue, pause, stop or adjust.
        reason: why, in words.
        verdicts: what the guards measured.
        change: new value of each quantity that "adjust" sets.
        pause_s: how long a "pause" lasts; 0 until somebody resumes the run.
    """

    seq: int
    processed: bool
    action: str
    reason: str = ""
    verdicts: list[object] = field(default_factory=list)
    change: Mapping[str, float] = field(default_factory=dict)
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A person who watches asks for something; it acknowledges no frame.

    Attributes:
        number: from 1, greater than that of the order before; each is obeyed once, and answered by a `Done`.
        action: stop, pause or resume.
        seq: the newest frame in the recording when it was asked, for the record; 0 before the first.
        reason: who asked and why, in words.
    """

    number: int
    action: str
    seq: int = 0
    reason: str = ""


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


Message = Hello | Alive | Done | End | Bye | Welcome | Credit | Refused | Report | Order | Closed | Frame

#: JSON name of every message; `Frame` is the one with a third part.
KINDS: Mapping[str, type[Message]] = {
    "hello": Hello,
    "alive": Alive,
    "done": Done,
    "end": End,
    "bye": Bye,
    "welcome": Welcome,
    "credit": Credit,
    "refused": Refused,
    "report": Report,
    "order": Order,
    "closed": Closed,
    "frame": Frame,
}
