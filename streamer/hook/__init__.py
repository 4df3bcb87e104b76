"""What runs inside the microscope's process: copies frames out, brings stops in, never in the way."""

from streamer.hook.hook import Hook
from streamer.hook.report import HookReport

__all__ = ["Hook", "HookReport"]
