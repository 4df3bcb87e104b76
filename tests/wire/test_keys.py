"""Key files: made once, for one user, understood or refused with the cure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamer.errors import UsageError
from streamer.wire import load_hook_keys, load_processor_keys, new_keys


def test_new_keys_belong_together_and_are_for_one_user(tmp_path: Path) -> None:
    processor_file, hook_file = new_keys(tmp_path / "keys")
    processor, hook = load_processor_keys(processor_file), load_hook_keys(hook_file)
    assert processor.hooks == {hook.public}
    assert hook.processor == processor.public
    assert processor.secret not in repr(processor)
    if sys.platform != "win32":
        assert {path.stat().st_mode & 0o777 for path in (processor_file, hook_file)} == {0o600}


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    processor_file, hook_file = new_keys(tmp_path)
    before = processor_file.read_bytes(), hook_file.read_bytes()
    with pytest.raises(UsageError, match="not overwritten"):
        new_keys(tmp_path)
    assert (processor_file.read_bytes(), hook_file.read_bytes()) == before


KEY = "a" * 40
BAD = {
    "no toml": ("secret", "make keys with"),
    "the processor's": (f'secret = "{KEY}"\nhooks = ["{KEY}"]', "needs processor and secret"),
    "short": (f'secret = "abc"\nprocessor = "{KEY}"', "secret is no CURVE key"),
    "a number": (f'secret = "{KEY}"\nprocessor = 1', "processor is no CURVE key"),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD.keys())
def test_files_that_hold_no_such_keys_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "hook.key"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        load_hook_keys(path)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    _, path = new_keys(tmp_path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load_hook_keys(path)
