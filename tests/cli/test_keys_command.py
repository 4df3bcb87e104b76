"""`streamer keys new`, as users meet it."""

from __future__ import annotations

from pathlib import Path

from apps_cli import run_cli

from streamer.wire import load_hook_keys, load_processor_keys


def test_keys_are_made_said_where_and_never_overwritten(tmp_path: Path) -> None:
    made = run_cli("keys", "new", "--out", tmp_path / "keys")
    processor, hook = tmp_path / "keys" / "processor.key", tmp_path / "keys" / "hook.key"
    assert made.code == 0
    assert f"streamer live --keys {processor}" in made.out
    assert f"Hook(..., keys={str(hook)!r})" in made.out
    assert load_processor_keys(processor).hooks == {load_hook_keys(hook).public}
    before = processor.read_bytes(), hook.read_bytes()
    again = run_cli("keys", "new", "--out", tmp_path / "keys")
    assert again.code == 2
    assert "not overwritten" in again.err
    assert len(again.err.strip().splitlines()) == 1
    assert (processor.read_bytes(), hook.read_bytes()) == before
