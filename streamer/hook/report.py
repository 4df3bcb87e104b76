"""What a hook can say of its run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamer.shell import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class HookReport:
    """Counts of one run, seen from the microscope.

    Attributes:
        profile: name of the hardware profile.
        acquired: frames the engine handed to the hook.
        rejected: those that are no [y, x] uint8 or uint16 images, and so in no recording.
        attached: whether a stop could reach the engine.
        sent: frames sent at least once.
        resent: sendings of a frame that had been sent before.
        spooled: frames that had to wait in the spool file.
        acknowledged: frames the processor has safe in its recording.
        lost: frames the hook had to give up because memory and spool were full.
        kept: spool file with the frames no processor acknowledged; None where there are none.
        lag_ms: for every acknowledged frame, from the hook's hand-over to its report, one clock.
        stopped_at: sequence number of the frame whose decision stopped the run.
        stop_reason: that decision in words.
        safe_ms: from the arrival of the stop to the laser being safe.
        ended_ms: from the arrival of the stop to the engine having been told to end.
        unsafe: why a light source did not go safe; empty while they always did.
        unread: how often a device property could not be read, and which; empty where none.
        problem: why the processor refused or left the run; empty where it did not.
        errors: exceptions swallowed so that the engine would not meet them.
    """

    profile: str
    acquired: int
    rejected: int
    attached: bool
    sent: int
    resent: int
    spooled: int
    acknowledged: int
    lost: int
    kept: Path | None
    lag_ms: tuple[float, ...]
    stopped_at: int | None
    stop_reason: str
    safe_ms: float | None
    ended_ms: float | None
    unsafe: str
    unread: str
    problem: str
    errors: tuple[str, ...]

    def complaints(self) -> Iterator[str]:
        """What the user must know, a line each; nothing if every frame is safe."""
        if self.unsafe:
            yield f"A LIGHT SOURCE DID NOT GO SAFE: {self.unsafe}"
        if self.rejected:
            yield f"{self.rejected} images were not streamed; the first error: {self.errors[0]}"
        elif self.errors:
            yield f"the run met with: {'; '.join(self.errors[:3])}"
        if self.unread:
            yield f"device properties could not be read: {self.unread}"
        if self.stopped_at is not None and self.ended_ms is None and not self.attached:
            yield f"frame {self.stopped_at} decided a stop that nothing carried out: use hook.attach(acq)"
        if self.problem:
            yield f"the processor did not take the whole run: {self.problem}"
        if self.kept:
            rescue = f"streamer replay {quoted(self.kept)} --profile {quoted(self.profile)}"
            yield f"frames in no recording are kept: {rescue}"
        if self.lost:
            yield f"{self.lost} of {self.acquired} frames are lost: memory and spool were full"
