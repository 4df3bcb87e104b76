"""One HTML file that says what became of a run: words first, then curves, decisions, pictures, provenance."""

from streamer.report.write import write_report

__all__ = ["write_report"]
