"""The command line: settings enter here and nowhere else; errors leave as one line and an exit code.

Exit codes: 0 done as asked, 1 failed, 2 bad usage or bad input, 3 a live run stopped by a guard,
130 ended by Ctrl-C with the recording closed.
"""

from streamer.cli.main import main

__all__ = ["main"]
