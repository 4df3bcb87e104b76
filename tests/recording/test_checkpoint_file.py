"""States to go on from: whole or not at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.recording import RunFolder, read_checkpoint, write_checkpoint

ARRAYS = {
    "similarity/previous": np.random.default_rng(1).normal(size=(20, 24)).astype(np.float32),
    "similarity/count": np.int64(7),
    "file": np.array([], np.float64),
    "words": np.array("position 2, channel red"),
    "by columns": np.asfortranarray(np.arange(12).reshape(3, 4)),
}


def test_states_come_back_bit_by_bit(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert read_checkpoint(run) is None
    write_checkpoint(run, 3, {})
    write_checkpoint(run, 41, ARRAYS)
    found = read_checkpoint(run)
    assert found is not None
    seq, arrays = found
    assert seq == 41
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)
        assert array.flags.writeable


@pytest.mark.parametrize("value", [object(), [1, "a", None], {"a": 1}], ids=["object", "mixture", "mapping"])
def test_what_is_no_array_is_refused_and_the_last_checkpoint_stays(tmp_path: Path, value: object) -> None:
    run = RunFolder(tmp_path)
    write_checkpoint(run, 1, ARRAYS)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_checkpoint(run, 2, {"state": value})
    found = read_checkpoint(run)
    assert found is not None
    assert found[0] == 1


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return stream.getvalue()


def npy(value: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(value), allow_pickle=True)
    return stream.getvalue()


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[:-100],
    "a byte changed": lambda whole: whole[:900] + bytes([whole[900] ^ 1]) + whole[901:],
    "no number": lambda whole: archive({"state/a.npy": npy(1)}),
    "pickled": lambda whole: archive({"seq.npy": npy(1), "state/a.npy": npy({"a": 1})}),
    "claims more": lambda whole: archive(
        {"seq.npy": npy(1).replace(b"'shape': ()", b"'shape': (1073741824,)")}
    ),
    "compressed": lambda whole: archive({"seq.npy": npy(1)}, zipfile.ZIP_DEFLATED),
    "text": lambda whole: b"hello",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_checkpoint_is_none_and_said_so(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = RunFolder(tmp_path)
    write_checkpoint(run, 5, ARRAYS)
    run.checkpoint.write_bytes(DAMAGED[name](run.checkpoint.read_bytes()))
    assert read_checkpoint(run) is None
    assert "states are made again from the first frame" in caplog.text
