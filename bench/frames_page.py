"""The tables of `bench.joint` and `bench.flow`, and what was asked of their numbers."""

from __future__ import annotations

from bench.tables import Report, Sheet, section, times, verdict

#: 10 frames a second of two channels, on two cores.
JOINT_MS, CORES = 100.0, 2
SINGLE = "two single passes, k = 1"
#: Of one graph with two; a part that has none compares batches.
AGREEMENT = "agreement"


def joint(report: Report) -> str:
    """Two channels at once, every k-th frame segmented."""
    return section(report, joint_sheet(report))


def joint_sheet(report: Report) -> Sheet:
    """A line for each way: time, verdict, and what it costs in quality."""
    settings = report["settings"]
    heads = ("ms per frame", f"<= {JOINT_MS:g}", "ms of a segmented frame", "PSNR dB", "dB lost", "SSIM")
    height, width = settings["shape"]
    return Sheet(
        heads=("way", *heads, "labels agree (IoU)"),
        rows=tuple(_joint_cells(report, name) for name in report["times"]),
        note=f"{height}x{width} px of two channels, {settings['precision']}, {settings['threads']} threads, "
        f"{report['times'][SINGLE]['rounds']} rounds of {settings['frames']} frames; quality of "
        f"{settings['movies']} movies of {settings['size_px']} px. Lost: against {SINGLE}.",
    )


def _joint_cells(report: Report, name: str) -> tuple[str, ...]:
    taken, judged = report["times"][name], report["quality"][name]
    single = report["quality"][SINGLE]["channels"]
    kept = taken["ms"] <= JOINT_MS if report["settings"]["threads"] <= CORES else None
    pairs = list(zip(judged["channels"], single, strict=True))
    return (
        name,
        f"{taken['ms']:.0f}",
        verdict(report, kept),
        f"{taken['worst_ms']:.0f}",
        " / ".join(f"{own['psnr_db']:.2f}" for own, _ in pairs),
        " / ".join(f"{base['psnr_db'] - own['psnr_db']:+.2f}" for own, base in pairs),
        " / ".join(f"{own['ssim']:.3f}" for own, _ in pairs),
        f"{judged['label_iou']:.3f}",
    )


def flow(report: Report) -> str:
    """Batches, and one graph for both networks."""
    return section(report, *flow_sheets(report))


def flow_sheets(report: Report) -> list[Sheet]:
    """A table of batches and one of graphs."""
    found: Report = report["found"]
    batches = {name: part for name, part in found.items() if AGREEMENT not in part}
    graphs = {name: part for name, part in found.items() if AGREEMENT in part}
    height, width = report["shape"]
    note = (
        f"{height}x{width} px, n = {report['repeats']}, {report['threads']} threads; "
        "median ms per frame and its ratio to the first, 95 % over rounds."
    )
    return [_flow_sheet(parts, note) for parts in (batches, graphs) if parts]


def _flow_sheet(parts: Report, note: str) -> Sheet:
    """Parts that compare the same contenders."""
    first = next(iter(parts.values()))
    base, *others = (name for name in first if name != AGREEMENT)
    judged = ("relative RMS", "equal classes") if AGREEMENT in first else ()
    rows = []
    for name, part in parts.items():
        cells = [f"{part[other]['median_ms']:.1f}, {times(part[other])}" for other in others]
        if judged:
            agreement = part[AGREEMENT]
            cells += [f"{agreement['relative_rms']:.1e}", f"{100 * agreement['equal_classes']:.2f} %"]
        rows.append((name, f"{part[base]['median_ms']:.1f}", *cells))
    return Sheet(heads=("networks", base, *others, *judged), rows=tuple(rows), note=note)
