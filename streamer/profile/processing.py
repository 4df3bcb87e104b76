"""[processing]: what a run leaves out where its machine cannot keep up with everything."""

from __future__ import annotations

from pydantic import Field

from streamer.profile.tables import Table


class Processing(Table):
    """[processing]: what is computed of which frames.

    Attributes:
        segment_every: frames of a view from one that is segmented to the next; 1 segments each. Those in
            between are denoised and judged, and carry the labels of the last segmented one, as rows say.
        tiles_above_mpx: million pixels that a network is shown at once; larger frames are computed in tiles
            of at most so many, where the model's package states its reach.
    """

    segment_every: int = Field(default=1, ge=1, le=1000)
    tiles_above_mpx: float = Field(default=16, gt=0, le=1000)
