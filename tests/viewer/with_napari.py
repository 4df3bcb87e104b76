"""napari for tests: tests that need it skip, with words, where it is not installed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

WORDS = "napari is not installed; pip install 'scope-streamer[napari]'"


def need(name: str, *, whole_file: bool = False) -> Any:
    """The module `name`; deprecations that importing it brings up are napari's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            __import__("napari.components")
            __import__("napari.layers")
        except ImportError:
            pytest.skip(WORDS, allow_module_level=whole_file)
        return pytest.importorskip(name, reason=WORDS)
