"""What travels between the processes: the only room that knows bytes.

One port, two directions (ROUTER at the processor, DEALER at the hook). Every message is
`[MAGIC + version, JSON header]`, a frame carries its pixels as a third part. No pickle anywhere.

    hook -> processor    Hello, Frame*, Alive (when idle), End, Bye
    processor -> hook    Welcome | Refused, Report* (the acknowledgement of a frame), Closed
"""

from streamer.wire.backlog import SPOOL_SUFFIX, Backlog, read_spool
from streamer.wire.codec import MAX_PIXEL_BYTES, VERSION, decode, encode
from streamer.wire.endpoint import DEFAULT_ENDPOINT, DEFAULT_SILENCE_S, require_loopback
from streamer.wire.errors import WireError
from streamer.wire.messages import Alive, Bye, Closed, End, Hello, Message, Policy, Refused, Report, Welcome

__all__ = [
    "DEFAULT_ENDPOINT",
    "DEFAULT_SILENCE_S",
    "MAX_PIXEL_BYTES",
    "SPOOL_SUFFIX",
    "VERSION",
    "Alive",
    "Backlog",
    "Bye",
    "Closed",
    "End",
    "Hello",
    "Message",
    "Policy",
    "Refused",
    "Report",
    "Welcome",
    "WireError",
    "decode",
    "encode",
    "read_spool",
    "require_loopback",
]
