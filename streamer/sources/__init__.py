"""Where frames come from: a hook over the wire, or a recording on disk.

`open_recording` reads an earlier RUN, OME-Zarr, NDTiff, a hook's spool and TIFF of every kind, lazily and
without guessing: pixel size and the grey level of no light are what the user tells or the files state.
"""

from streamer.sources.recording import Recording, open_recording

__all__ = ["Recording", "open_recording"]
