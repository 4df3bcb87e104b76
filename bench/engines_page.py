"""The tables of `bench.engines`, `bench.ernet` and `bench.roofline`, and what was asked of their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.measure import ratio
from bench.tables import Limit, Report, Sheet, limits_sheet, section, times
from bench.turns import tails

EAGER, BF16, CHOSEN = "torch eager f32", "openvino bf16", "openvino auto"
#: How many times faster than each of these bf16 is asked to be.
FASTER = {EAGER: 8.0, "torch eager f32, malloc settings": 4.0, "onnxruntime f32": 3.0}
#: Seconds for a frame of UNet-RCAN at its published size, on two cores.
PUBLISHED_S, CORES = 1.5, 2
#: How many times faster than the published formulation of ERnet ours is asked to be.
ERNET_FASTER = 10.0
#: Two classes whose probabilities are no further apart are equal but for the rounding of float32.
ROUNDING = 1e-5
#: Of the bf16 matrix product, for denoisers of so many channels or more.
SHARE_OF_MATMUL, CHANNELS = 0.5, 32


def engines(report: Report) -> str:
    """One network under each engine."""
    return f"### {engines_title(report)}\n\n{section(report, engines_sheet(report), engines_limits(report))}"


def engines_title(report: Report) -> str:
    """Which network, on which frames."""
    height, width = report["shape_yx"]
    return f"{report['model']}, {height}x{width} px, n = {report['repeats']}"


def engines_sheet(report: Report) -> Sheet:
    """A line for each contender."""
    heads = ("contender", "threads", "compile s", "median ms", "p10", "p90", "faster", "relative RMS")
    eager = report["rows"][0]
    return Sheet(
        heads=(*heads, "tolerance"),
        rows=tuple(_engine_cells(row, eager) for row in report["rows"]),
        note=f"Faster: time of {eager['contender']} over this one's, 95 % over rounds.",
    )


def _engine_cells(row: Report, eager: Report) -> tuple[str, ...]:
    ends = (end if isinstance(end, str) else f"{end:.1f}" for end in tails(row["times_ms"]))
    name = row["contender"]
    return (
        f"{name}: {row['key']['precision']}" if name == CHOSEN else name,
        str(row["threads"]),
        f"{row['compile_s']:.2f}",
        f"{np.median(row['times_ms']):.1f}",
        *ends,
        times(ratio(eager["times_ms"], row["times_ms"])),
        f"{row['relative_rms']:.1e}",
        f"{row['tolerance']:.0e}",
    )


def engines_limits(report: Report) -> Sheet:
    """What was asked of the engines."""
    rows = {row["contender"]: row for row in report["rows"]}
    asked = _published_limits(rows) if report["published"] else _faster_limits(rows)
    strays = [name for name, row in rows.items() if not row["relative_rms"] <= row["tolerance"]]
    same = Limit(
        asked="every output within the tolerance of its package",
        found=", ".join(strays) or "all",
        kept=not strays,
    )
    return limits_sheet(report, (*asked, *_choice_limits(rows), same))


def _faster_limits(rows: Report) -> Iterator[Limit]:
    for name, limit in FASTER.items():
        known = name in rows and BF16 in rows
        found = ratio(rows[name]["times_ms"], rows[BF16]["times_ms"]) if known else None
        yield Limit(
            asked=f"{BF16} at least {limit:g}x {name}, with AMX",
            found=times(found) if found else "one of them cannot run here",
            kept=found["ratio"] >= limit if found else None,
            needs_amx=True,
        )


def _published_limits(rows: Report) -> Iterator[Limit]:
    name, row = min(rows.items(), key=lambda each: float(np.median(each[1]["times_ms"])))
    seconds = float(np.median(row["times_ms"])) / 1e3
    yield Limit(
        asked=f"a frame in at most {PUBLISHED_S:g} s on {CORES} cores, with AMX",
        found=f"{seconds:.2f} s, {name}, {row['threads']} threads",
        kept=seconds <= PUBLISHED_S if row["threads"] <= CORES else None,
        needs_amx=True,
    )


def _choice_limits(rows: Report) -> Iterator[Limit]:
    asked = "the precision that is chosen is never the slower one"
    if CHOSEN not in rows:
        return
    precision = rows[CHOSEN]["key"]["precision"]
    others = [name for name in ("openvino f32", BF16) if name in rows and not name.endswith(precision)]
    if not others:
        yield Limit(asked=asked, found=f"{precision}, the only one here", kept=True)
    for other in others:
        slower = ratio(rows[other]["times_ms"], rows[f"openvino {precision}"]["times_ms"])
        found = f"{precision}; {other} takes {times(slower)} its time"
        yield Limit(asked=asked, found=found, kept=slower["ratio"] >= 1)


def ernet(report: Report) -> str:
    """ERnet as published and as ours."""
    return section(report, ernet_sheet(report), ernet_limits(report))


def ernet_sheet(report: Report) -> Sheet:
    """A line for each formulation."""
    names = list(report["rows"][0]["ms"])[1:]
    heads = ("threads", *(f"{name} ms" for name in names), "faster", "labels that differ", "difference")
    height, width = report["shape_yx"]
    return Sheet(
        heads=("contender", *heads),
        rows=tuple(_ernet_cells(row, names) for row in report["rows"]),
        note=f"{height}x{width} px, n = {report['repeats']}, weights {report['weights']}. "
        "Faster: time of the first row over this one's, 95 % over rounds.",
    )


def _ernet_cells(row: Report, names: list[str]) -> tuple[str, ...]:
    ties = " (ties)" if row["labels_differ"] and row["closest"] <= ROUNDING else ""
    return (
        row["contender"],
        str(row["threads"]),
        *(f"{row['ms'][name]:.0f}" for name in names),
        times(row["faster"]),
        f"{row['labels_differ']} of {row['pixels']}{ties}",
        f"{row['largest_difference']:.1e}",
    )


def ernet_limits(report: Report) -> Sheet:
    """Ten times as fast, with equal labels."""
    ours = [row for row in report["rows"] if row["contender"].startswith("ours")]
    equal = [row for row in ours if row["closest"] <= ROUNDING]
    best = max(equal, key=lambda row: float(row["faster"]["ratio"]), default=None)
    faster = Limit(
        asked=f"at least {ERNET_FASTER:g}x the published formulation, with equal labels",
        found=f"{times(best['faster'])}, {best['contender']}" if best else "no labels are equal",
        kept=best is not None and best["faster"]["ratio"] >= ERNET_FASTER,
    )
    strays = [row["contender"] for row in ours if row not in equal and row["contender"].endswith("f32")]
    same = Limit(asked="equal labels in f32", found=", ".join(strays) or "all but ties", kept=not strays)
    return limits_sheet(report, (faster, same))


def roofline(report: Report) -> str:
    """What each model uses of what the device can do."""
    return section(report, roofline_sheet(report), roofline_limits(report))


def roofline_sheet(report: Report) -> Sheet:
    """A line for each model at each precision; the note states the peaks."""
    peaks = ", ".join(
        f"{name} {rate / 1e9:.0f} {'GB/s' if name == 'copy' else 'GFLOP/s'}"
        for name, rate in report["peaks_per_s"].items()
    )
    heads = ("channels", "precision", "p50 ms", "GFLOP", "MB", "GFLOP/s", "of matmul", "of the peak")
    height, width = report["shape_yx"]
    return Sheet(
        heads=("model", *heads, "attainable", "bound"),
        rows=tuple(_roofline_cells(row) for row in report["rows"]),
        note=f"{height}x{width} px, n = {report['repeats']}, {report['threads']} threads. "
        f"Best of each peak: {peaks}.",
    )


def _roofline_cells(row: Report) -> tuple[str, ...]:
    return (
        row["model"],
        str(row["channels"]),
        row["precision"],
        f"{row['ms']['p50']:.1f}",
        f"{row['gflop']:.1f}",
        f"{row['megabytes']:.0f}",
        f"{row['gflop_per_s']:.0f}",
        f"{100 * row['share_of_matmul']:.0f} %",
        f"{100 * row['share_of_peak']:.0f} %",
        f"{row['attainable_gflop_per_s']:.0f}",
        row["bound"],
    )


def roofline_limits(report: Report) -> Sheet:
    """Half of the matrix product's peak, for denoisers that are wide enough."""
    asked = f"at least {100 * SHARE_OF_MATMUL:.0f} % of the bf16 matrix product, with AMX"
    wide = [
        row
        for row in report["rows"]
        if row["kind"] == "denoiser" and row["precision"] == "bf16" and row["channels"] >= CHANNELS
    ]
    limits = [
        Limit(
            asked=f"{asked}: {row['model']}, {row['channels']} channels",
            found=f"{100 * row['share_of_matmul']:.0f} %",
            kept=row["share_of_matmul"] >= SHARE_OF_MATMUL,
            needs_amx=True,
        )
        for row in wide
    ]
    none = Limit(
        asked=f"{asked}: a denoiser of {CHANNELS} channels",
        found="none in bf16 here",
        kept=None,
        needs_amx=True,
    )
    return limits_sheet(report, limits or [none])
