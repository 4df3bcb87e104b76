"""What may go wrong at the simulated microscope while it exposes."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.microscope.unicore import EngineCore


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """Plain values, so that they survive a spawn.

    Attributes:
        shutter_closes_at: exposure before which the excitation's shutter falls shut; None for never.
        focus_lost_from: exposure from which on the focus drive creeps away; None for never.
        focus_um_per_frame: how far it creeps from frame to frame.
    """

    shutter_closes_at: int | None = None
    focus_lost_from: int | None = None
    focus_um_per_frame: float = 0.0

    def after(self, exposed: int, core: EngineCore, shutter: str) -> None:
        """Let happen what is due when `exposed` frames have been exposed, through the core as by hand.

        `shutter` is the label of the excitation.
        """
        if exposed == self.shutter_closes_at:
            core.setShutterOpen(shutter, False)
        if self.focus_lost_from is not None and exposed >= self.focus_lost_from:
            away = exposed - self.focus_lost_from + 1
            core.setPosition(core.getFocusDevice(), away * self.focus_um_per_frame)


#: A run in which nothing goes wrong.
NO_INCIDENTS = Incidents()
