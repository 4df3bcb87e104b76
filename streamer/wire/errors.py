"""A message that is not ours."""

from streamer.errors import LinkError


class WireError(LinkError):
    """A message that is refused; the text is the reason, fit to be sent back and counted."""
