"""What can go wrong, as the user meets it.

StreamerError             one clear line: the value, the place, the cure
├── UsageError            exit 2: bad usage or bad input
│   ├── ProfileError      a hardware profile that cannot be used
│   ├── PackageError      a model package that is missing, damaged or of the wrong kind
│   ├── CalibrationError  a calibration file that cannot be used, or was made for another rig or model
│   └── SourceError       a recording or image that cannot be read
└── RunError              exit 1: the work was sound, the world was not
    ├── RecordingError    the recording cannot be written or continued
    ├── EngineError       a network cannot be compiled or run here
    │   └── MemoryShortError  because memory does not do; a smaller piece may
    ├── LinkError         the other process cannot be reached or does not speak our wire
    ├── MicroscopeError   the acquisition engine or one of its devices failed
    └── ProcessDiedError  another of our processes ended without a word
"""


class StreamerError(Exception):
    """Root of every error that is shown to the user as one line."""

    exit_code = 1


class UsageError(StreamerError):
    """Bad usage or bad input."""

    exit_code = 2


class ProfileError(UsageError):
    """A hardware profile that cannot be used."""


class PackageError(UsageError):
    """A model package that is missing, damaged or of the wrong kind."""


class CalibrationError(UsageError):
    """A calibration that cannot be used with this profile and these models, or at all."""


class SourceError(UsageError):
    """A recording or image that cannot be read."""


class RunError(StreamerError):
    """A run that could not be carried through."""


class RecordingError(RunError):
    """A recording that cannot be written or continued."""


class EngineError(RunError):
    """A network that cannot be compiled or run on this machine."""


class MemoryShortError(EngineError):
    """A network for which memory does not do; smaller frames, or tiles of them, may."""


class LinkError(RunError):
    """A peer that cannot be reached, or that does not speak our wire."""


class MicroscopeError(RunError):
    """An acquisition engine or device that failed."""


class ProcessDiedError(RunError):
    """Another of our processes that ended without a word: killed, or crashed."""
