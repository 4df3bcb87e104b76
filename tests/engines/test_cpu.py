"""The instruction set is read as the system tells it, and unknown where it does not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.engines import cpu


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let /proc/cpuinfo read as a test says."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(cpu, "_CPUINFO", path)
    cached = (cpu._cpuinfo, cpu.cpu_name, cpu.instruction_set)
    for function in cached:
        function.cache_clear()

    def tell(text: str) -> None:
        path.write_text(text, encoding="utf-8")

    yield tell
    for function in cached:
        function.cache_clear()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/cpuinfo is Linux's")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("flags\t: fpu avx2 avx512f avx512_bf16 amx_bf16 amx_tile", "amx-bf16", id="AMX"),
        pytest.param("flags\t: fpu avx2 avx512f avx512_bf16", "avx512-bf16", id="AVX-512 with bf16"),
        pytest.param("flags\t: fpu avx2 avx512f", "avx512", id="AVX-512"),
        pytest.param("flags\t: fpu avx avx2", "avx2", id="AVX2"),
        pytest.param("Features\t: fp asimd", "neon", id="ARM"),
        pytest.param("flags\t: fpu sse2", "unknown", id="older"),
        pytest.param("", "unknown", id="nothing told"),
    ],
)
def test_the_widest_set_counts(cpuinfo: Callable[[str], None], line: str, expected: str) -> None:
    cpuinfo(f"processor\t: 0\nmodel name\t: A: B\n{line}\n\nprocessor\t: 1\nflags\t: amx_bf16\n")
    assert cpu.instruction_set() == expected
    assert cpu.cpu_name() == "A: B"


def test_a_processor_is_named_even_where_the_system_keeps_quiet(cpuinfo: Callable[[str], None]) -> None:
    assert cpu.cpu_name()
