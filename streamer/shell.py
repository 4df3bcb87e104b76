"""How a path is written into a command that a user copies into a shell."""

from __future__ import annotations

import os
import re
import shlex


def quoted(word: object) -> str:
    """A path or another word in quotation marks, if the shell of this machine would take it apart.

    Args:
        word: what the command is to get, such as a path.
    """
    text = str(word)
    if os.name != "nt":
        return shlex.quote(text)
    # A name there holds no quotation mark; cmd and PowerShell both take double ones.
    return text if re.fullmatch(r"[\w.:\\/+-]+", text) else f'"{text}"'
