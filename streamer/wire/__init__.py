"""What travels between the processes: the only room that knows bytes. `docs/wire.md` is the specification.

One port, two directions (ROUTER at the processor, DEALER at the hook). Every message is
`[MAGIC + version, JSON header]`; a frame carries its pixels as a third part, or names the slot of the hook's
shared memory in which they lie. No pickle anywhere.

    hook -> processor    Hello, Frame*, Done*, Alive (once a second), End, Bye
    processor -> hook    Welcome | Refused, Credit*, Report* (the acknowledgement of frames), Order*, Alive,
                         Closed
"""

from streamer.wire.backlog import SPOOL_SUFFIX, Backlog, Parcel, Parts, read_spool
from streamer.wire.codec import (
    MAX_PIXEL_BYTES,
    PREAMBLE,
    VERSION,
    Slots,
    decode,
    encode,
    frame_header,
)
from streamer.wire.endpoint import DEFAULT_ENDPOINT, DEFAULT_SILENCE_S, check_endpoint, is_loopback
from streamer.wire.errors import WireError
from streamer.wire.keys import HookKeys, ProcessorKeys, load_hook_keys, load_processor_keys, new_keys
from streamer.wire.messages import (
    Alive,
    Bye,
    Closed,
    Credit,
    Done,
    End,
    Hello,
    Message,
    Order,
    Policy,
    Refused,
    Report,
    Welcome,
)
from streamer.wire.ring import Ring, SharedSlots

__all__ = [
    "DEFAULT_ENDPOINT",
    "DEFAULT_SILENCE_S",
    "MAX_PIXEL_BYTES",
    "PREAMBLE",
    "SPOOL_SUFFIX",
    "VERSION",
    "Alive",
    "Backlog",
    "Bye",
    "Closed",
    "Credit",
    "Done",
    "End",
    "Hello",
    "HookKeys",
    "Message",
    "Order",
    "Parcel",
    "Parts",
    "Policy",
    "ProcessorKeys",
    "Refused",
    "Report",
    "Ring",
    "SharedSlots",
    "Slots",
    "Welcome",
    "WireError",
    "check_endpoint",
    "decode",
    "encode",
    "frame_header",
    "is_loopback",
    "load_hook_keys",
    "load_processor_keys",
    "new_keys",
    "read_spool",
]
