"""`streamer view`: a recording in napari."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer


def view(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a recording.")],
) -> None:
    """Open a recording in napari: raw, denoised, uncertainty, segmentation and trust as layers.

    A run that goes on is followed: further layers always show its newest frame.

    Examples:
      streamer view runs/demo-2026-05-01T10-00-00
    """
    from streamer.apps.registry import going_on_in
    from streamer.preview import Feed
    from streamer.viewer.window import open_window

    going = going_on_in(run)
    publisher = going.publisher if going else None
    open_window(run, hear=partial(Feed, publisher) if publisher else None)
