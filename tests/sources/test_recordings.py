"""Recordings on disk: every format gives the same frames, and bad ones give one line with the cure."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from streamer.core import Frame, Outcome
from streamer.errors import SourceError
from streamer.recording import LineWriter, RunFolder, RunInfo, Scale, Stored, create_run, frame_row
from streamer.recording.ngff import image_attributes
from streamer.sinks import RawSink
from streamer.sources import open_recording
from streamer.sources.run import raw_images, run_frames

Stack = NDArray[np.generic]

STACK = np.random.default_rng(1).poisson(4, (5, 24, 30)).astype(np.uint16)
SCALE = Scale(pixel_um=0.02, interval_s=0.6)


def as_tiff(folder: Path, stack: Stack, **options: object) -> Path:
    path = folder / "stack.tif"
    tifffile.imwrite(path, stack, **options)
    return path


def as_ome_tiff(folder: Path, stack: Stack) -> Path:
    path = folder / "stack.ome.tif"
    size = {"PhysicalSizeX": 0.02, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite(path, stack, ome=True, metadata={"axes": "TYX", **size})
    return path


def as_folder(folder: Path, stack: Stack) -> Path:
    for number, plane in enumerate(stack):
        tifffile.imwrite(folder / f"frame_{8 + number}.tif", plane)  # frame_10 sorts before frame_8 as text
    return folder


def as_ome_zarr(folder: Path, stack: Stack) -> Path:
    path = folder / "any.ome.zarr"
    group = zarr.create_group(path, attributes=image_attributes("any", SCALE, ()))
    group.create_array("0", data=stack[:, None, None], chunks=(2, 1, 1, 24, 15))
    return path


def as_old_ome_zarr(folder: Path, stack: Stack) -> Path:
    path = folder / "old.zarr"
    axes = [
        {"name": "t", "type": "time"},
        *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx"),
    ]
    step = {"type": "scale", "scale": [1.0, 0.02, 0.02]}
    level = {"path": "s0", "coordinateTransformations": [step]}
    multiscale = {"version": "0.4", "axes": axes, "datasets": [level]}
    group = zarr.create_group(path, zarr_format=2, attributes={"multiscales": [multiscale]})
    group.create_array("s0", data=stack)
    return path


def as_ndtiff(folder: Path, stack: Stack) -> Path:
    from ndstorage import NDTiffDataset

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
        dataset = NDTiffDataset(str(folder), summary_metadata={}, name="nd", writable=True)
        dataset.initialize({"PixelSize_um": 0.02})
        for time, plane in enumerate(stack):
            dataset.put_image({"time": time}, plane, {"Camera": "simulated", "n": time})
        dataset.finish()
        dataset.close()
    return folder / "nd_1"


def record(folder: Path, frames: Iterable[Frame]) -> Path:
    run = create_run(folder / "run", RunInfo(pixel_nm=20.0))
    raw, rows = RawSink(run, SCALE), LineWriter(run.frames)
    for frame in frames:
        raw.put(frame)
        part, index = raw.take(frame.seq)
        rows.put(frame_row(Outcome(frame=frame), Stored(part=part, raw_index=index), light={}, dose={}))
    rows.close()
    return run.path


def as_run(folder: Path, stack: Stack) -> Path:
    return record(
        folder,
        (
            Frame(pixels=plane, seq=time, axes={"time": time}, hook_ns=100 + time, metadata={"n": time})
            for time, plane in enumerate(stack)
        ),
    )


def as_old_run(folder: Path, stack: Stack) -> Path:
    """A run in the first layout: one raw image, and rows that do not name it."""
    path = as_run(folder, stack)
    was = "seq raw_index axes wall_time_s hook_ns received_ns processed decision reason verdicts timings_ms"
    keys = (*was.split(), "lag_ms", "waiting", "dose", "metadata")
    rows = map(json.loads, (path / "frames.jsonl").read_text().splitlines())
    old = [{"annotated_index": None, **{key: row[key] for key in keys}} for row in rows]
    (path / "frames.jsonl").write_text("".join(json.dumps(row) + "\n" for row in old))
    info = json.loads((path / "run.json").read_text())
    del info["sessions"]
    (path / "run.json").write_text(json.dumps(info | {"format_version": 1}))
    return path


FORMATS: dict[str, Callable[[Path, Stack], Path]] = {
    "TIFF": as_tiff,
    "compressed TIFF": lambda folder, stack: as_tiff(folder, stack, compression="zlib"),
    "BigTIFF": lambda folder, stack: as_tiff(folder, stack, bigtiff=True, byteorder=">"),
    "ImageJ": lambda folder, stack: as_tiff(folder, stack, imagej=True, metadata={"axes": "TYX"}),
    "ImageJ of one page": lambda folder, stack: as_tiff(
        folder, stack, imagej=True, truncate=True, metadata={"axes": "TYX"}
    ),
    "OME-TIFF": as_ome_tiff,
    "folder of TIFFs": as_folder,
    "OME-Zarr 0.5": as_ome_zarr,
    "OME-Zarr 0.4": as_old_ome_zarr,
    "NDTiff": as_ndtiff,
    "RUN": as_run,
    "RUN of the first layout": as_old_run,
}
STATE_A_PIXEL_SIZE = {"OME-TIFF", "OME-Zarr 0.5", "OME-Zarr 0.4", "NDTiff", "RUN", "RUN of the first layout"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_frames_lazily_and_again(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = open_recording([FORMATS[name](tmp_path, STACK)])
    assert (recording.shape, len(recording), recording.shift_adu) == ((24, 30), 5, 0)
    assert recording.pixel_nm == (pytest.approx(20.0) if name in STATE_A_PIXEL_SIZE else None)
    assert next(iter(recording)).seq == 0
    frames = list(recording)
    assert [frame.seq for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.axes["time"] for frame in frames] == [0, 1, 2, 3, 4]
    assert {frame.pixels.dtype for frame in frames} == {np.dtype(np.uint16)}
    np.testing.assert_array_equal([frame.pixels for frame in frames], STACK)
    assert capsys.readouterr().out == ""


def test_numbers_clocks_and_metadata_of_a_run_come_back(tmp_path: Path) -> None:
    frame = list(open_recording([as_run(tmp_path, STACK)]))[3]
    assert (frame.seq, frame.hook_ns, frame.metadata) == (3, 103, {"n": 3})


def test_the_frames_of_a_run_after_a_number_come_back(tmp_path: Path) -> None:
    run = RunFolder(as_run(tmp_path, STACK))
    drop_chunk(run.path)  # of frame 2, which need not be read
    assert [frame.seq for frame in run_frames(run, raw_images(run), after=2)] == [3, 4]


def test_a_run_of_several_images_comes_back_in_the_order_of_its_frames(tmp_path: Path) -> None:
    frames = [
        Frame(
            pixels=STACK[seq % 5, : 24 if seq < 6 else 12],
            seq=seq,
            axes={"time": seq // 2, "position": ("a/b", 3)[seq % 2], "channel": "red"},
            exposure_ms=10.0 if seq < 3 else 25.0,
            bit_depth=12,
            state={"Focus-Status": "locked", "Laser-Power": 4.5},
        )
        for seq in range(8)
    ]
    path = record(tmp_path, frames)
    assert len(list(path.glob("raw*.ome.zarr"))) == 6
    recording = open_recording([path])
    assert (recording.shape, len(recording)) == ((24, 30), 8)
    assert recording.notes == ("frames have 2 sizes or pixel types; the first is stated",)
    for frame, read in zip(frames, recording, strict=True):
        np.testing.assert_array_equal(read.pixels, frame.pixels)
        assert (read.seq, read.axes, read.mode, read.state) == (
            frame.seq,
            frame.axes,
            frame.mode,
            frame.state,
        )


def test_metadata_of_ndtiff_come_back(tmp_path: Path) -> None:
    frame = list(open_recording([as_ndtiff(tmp_path, STACK)]))[3]
    assert frame.metadata.items() >= {"Camera": "simulated", "n": 3}.items()


def test_axes_of_a_hyperstack_are_those_it_states(tmp_path: Path) -> None:
    stack = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    tifffile.imwrite(tmp_path / "h.tif", stack, imagej=True, metadata={"axes": "TCYX"})
    frames = list(open_recording([tmp_path / "h.tif"]))
    assert [dict(frame.axes) for frame in frames[:4]] == [
        {"time": 0, "channel": 0},
        {"time": 0, "channel": 1},
        {"time": 0, "channel": 2},
        {"time": 1, "channel": 0},
    ]
    np.testing.assert_array_equal(frames[5].pixels, stack[1, 2])


def test_several_tiffs_are_one_recording_in_the_order_given(tmp_path: Path) -> None:
    paths = [tmp_path / "b.tif", tmp_path / "a.tif"]
    for n, path in enumerate(paths):
        tifffile.imwrite(path, STACK[2 * n : 2 * n + 2])
    frames = list(open_recording(paths))
    np.testing.assert_array_equal([frame.pixels for frame in frames], STACK[:4])
    assert [frame.metadata["file"] for frame in frames] == ["b.tif", "b.tif", "a.tif", "a.tif"]
    assert [frame.axes for frame in frames] == [{"time": n} for n in range(4)]


@pytest.mark.parametrize("write", [as_tiff, as_ome_zarr], ids=["TIFF", "OME-Zarr"])
@pytest.mark.parametrize(
    ("lowest", "shift"),
    [(0, 0), (-1, 32768), (-32768, 32768)],
    ids=["counts", "one below zero", "full range"],
)
def test_int16_keeps_every_level_and_says_what_was_added(
    tmp_path: Path, write: Callable[[Path, Stack], Path], lowest: int, shift: int
) -> None:
    stack = STACK.astype(np.int16)
    stack[3, 5, 7], stack[4, 0, 0] = lowest, 32767
    recording = open_recording([write(tmp_path, stack)])
    assert recording.shift_adu == shift
    for frame, plane in zip(recording, stack, strict=True):
        assert frame.pixels.dtype == np.uint16
        np.testing.assert_array_equal(frame.pixels.astype(np.int32) - shift, plane)
        assert frame.metadata.get("shift_adu", 0) == shift


def test_levels_below_zero_beside_uint16_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0])
    tifffile.imwrite(tmp_path / "b.tif", np.full((24, 30), -3, np.int16))
    with pytest.raises(SourceError, match=r"b\.tif: int16 .* a\.tif is uint16; replay them apart"):
        open_recording([tmp_path])


def damaged_run(folder: Path, harm: Callable[[Path], None]) -> Path:
    path = as_run(folder, STACK)
    harm(path)
    return path


def drop_chunk(path: Path) -> None:
    (path / "raw.ome.zarr/0/c/2/0/0/0/0").unlink()


def spoil_chunk(path: Path) -> None:
    (path / "raw.ome.zarr/0/c/2/0/0/0/0").write_bytes(b"\x00" * 40)


def shorten_array(path: Path) -> None:
    metadata = path / "raw.ome.zarr/0/zarr.json"
    document = json.loads(metadata.read_text()) | {"shape": [3, 1, 1, 24, 30]}
    metadata.write_text(json.dumps(document))


def drop_key(path: Path) -> None:
    with (path / "frames.jsonl").open("a") as rows:
        rows.write('{"seq":5}\n')


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (drop_chunk, "pixels of frame 2 are missing; restore it"),
        (spoil_chunk, r"plane \(2, 0, 0\) is damaged .*restore it"),
        (shorten_array, r"shape \(3, 1, 1, 24, 30\), but rows name 5 frames"),
        (drop_key, "line 6 lacks 'raw_index'; restore it"),
        (lambda path: (path / "frames.jsonl").unlink(), "give the folder of a recording"),
    ],
    ids=["chunk missing", "chunk spoilt", "array too short", "row incomplete", "no rows"],
)
def test_a_damaged_run_is_never_read_as_zeros(
    tmp_path: Path, harm: Callable[[Path], None], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        list(open_recording([damaged_run(tmp_path, harm)]))


def test_frames_without_a_row_are_left_out_and_mentioned(tmp_path: Path) -> None:
    path = as_run(tmp_path, STACK)
    rows = (path / "frames.jsonl").read_bytes()
    (path / "frames.jsonl").write_bytes(rows[:-20])
    recording = open_recording([path])
    assert [frame.seq for frame in recording] == [0, 1, 2, 3]
    assert recording.notes == ("1 frames at the end have no row and are left out",)


def tiff_bytes(stack: Stack, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, stack, **options)
    return stream.getvalue()


def huge(width: int) -> bytes:
    """A TIFF header that claims `width` columns in each of its rows."""
    data = bytearray(tiff_bytes(STACK[0], metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        tag = tif.pages[0].tags["ImageWidth"]
        struct.pack_into("<HIHH", data, tag.offset + 2, 4, 1, width & 0xFFFF, width >> 16)
    return bytes(data)


BAD_TIFFS = {
    "empty": (b"", "cannot be read as TIFF"),
    "text": (b"hello, this is no image", "cannot be read as TIFF"),
    "header only": (tiff_bytes(STACK)[:8], "restore it from a copy"),
    "cut in the pixels": (tiff_bytes(STACK)[:4000], "restore it from a copy"),
    "cut in one compressed page": (
        tiff_bytes(STACK[0], compression="zlib")[:-50],
        "ends before the pixels do",
    ),
    "cut in one page": (tiff_bytes(STACK[0])[:-50], "ends before the pixels do"),
    "wider than its pixels": (huge(3000), "ends before the pixels do"),
    "wider than any camera": (huge(2**31), "claims 2147483648 x 24 pixels"),
    "colour": (tiff_bytes(np.zeros((24, 30, 3), np.uint8), photometric="rgb"), "one channel a plane"),
    "float": (tiff_bytes(STACK.astype(np.float32)), "pixel type float32; convert it to counts"),
    "uint32": (tiff_bytes(STACK.astype(np.uint32)), "pixel type uint32; convert it to counts"),
}


@pytest.mark.parametrize("name", BAD_TIFFS)
def test_a_bad_tiff_ends_in_one_line_with_the_cure(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data, message = BAD_TIFFS[name]
    path = tmp_path / "bad.tif"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        list(open_recording([path]))
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert "; " in text
    assert capfd.readouterr().err == ""


def two_sizes(folder: Path) -> list[Path]:
    tifffile.imwrite(folder / "a.tif", STACK[0])
    tifffile.imwrite(folder / "b.tif", STACK[0, :10])
    return [folder]


def two_pages(folder: Path) -> list[Path]:
    with tifffile.TiffWriter(folder / "a.tif") as tif:
        tif.write(STACK[0])
        tif.write(STACK[0, :10])
    return [folder]


def no_axes(folder: Path) -> list[Path]:
    attributes = image_attributes("x", SCALE, ())
    attributes["ome"]["multiscales"][0]["axes"][0]["name"] = "angle"
    group = zarr.create_group(folder / "x.zarr", attributes=attributes)
    group.create_array("0", data=STACK[:, None, None])
    return [folder / "x.zarr"]


def float_zarr(folder: Path) -> list[Path]:
    return [as_ome_zarr(folder, STACK.astype(np.float32))]


def plain_zarr(folder: Path) -> list[Path]:
    zarr.create_group(folder / "x.zarr")
    return [folder / "x.zarr"]


def torn_ndtiff(folder: Path) -> list[Path]:
    index = as_ndtiff(folder, STACK) / "NDTiff.index"
    index.write_bytes(index.read_bytes()[:-30])
    return [index.parent]


def short_ndtiff(folder: Path) -> list[Path]:
    (path,) = as_ndtiff(folder, STACK).glob("*.tif")
    path.write_bytes(path.read_bytes()[:-2000])
    return [path.parent]


BAD_PATHS: dict[str, tuple[Callable[[Path], list[Path]], str]] = {
    "missing": (lambda folder: [folder / "nope"], "nope: does not exist; give"),
    "empty folder": (lambda folder: [folder], "holds no image; give"),
    "nothing": (lambda _: [], "no path given; give"),
    "two sizes": (two_sizes, r"b\.tif: 30x10 uint16, but .*a\.tif: 30x24 uint16; replay files of one"),
    "two sizes in one file": (two_pages, "page 1: another size or pixel type than page 0; save"),
    "two runs": (lambda folder: [as_run(folder, STACK), folder], "one of 2 paths; replay one recording"),
    "above NDTiff": (lambda folder: [as_ndtiff(folder, STACK).parent], "replay one of them, such as .*nd_1"),
    "NDTiff index torn": (torn_ndtiff, "cannot be read as NDTiff"),
    "NDTiff too short": (short_ndtiff, r"nd_NDTiffStack\.tif ends before image 3; restore"),
    "strange axes": (no_axes, "axes .*angle.* are read"),
    "float OME-Zarr": (float_zarr, "pixel type float32; convert it to counts"),
    "Zarr of another kind": (plain_zarr, "no OME-Zarr image .*give the folder of one image"),
}


@pytest.mark.parametrize("name", BAD_PATHS)
def test_what_cannot_be_replayed_is_refused_before_the_first_frame(tmp_path: Path, name: str) -> None:
    make, message = BAD_PATHS[name]
    with pytest.raises(SourceError, match=message) as caught:
        open_recording(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "count", "shape", "pixel_nm", "notes"),
    [
        ("sted_actin_neurons", 10, (224, 224), None, 1),
        ("sted_actin_neurons/STEDActinDendriteFCN", 4, (224, 224), 20.0, 1),
        ("confocal_fmd", 5, (512, 512), None, 0),
    ],
)
def test_real_images_are_read_as_they_are(
    realdata: Path, folder: str, count: int, shape: tuple[int, int], pixel_nm: float | None, notes: int
) -> None:
    recording = open_recording([realdata / folder])
    assert (len(recording), recording.shape, recording.pixel_nm) == (count, shape, pixel_nm)
    assert (recording.shift_adu, len(recording.notes)) == (0, notes)
    files = {path.name: path for path in (realdata / folder).rglob("*.tif*")}
    for frame in recording:
        np.testing.assert_array_equal(frame.pixels, tifffile.imread(files[str(frame.metadata["file"])]))


@pytest.mark.realdata
def test_a_real_zero_level_is_reported_and_not_subtracted(realdata: Path) -> None:
    recording = open_recording([realdata / "sted_actin_neurons" / "STEDActinDendriteFCN"])
    (note,) = recording.notes
    assert note.startswith("4 of 4 files state 32768 as the grey level of no light (ImageJ)")
    assert "--offset 32768" in note
    assert min(int(frame.pixels.min()) for frame in recording) == 32768
