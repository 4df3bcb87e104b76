"""Rows in words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from streamer.reading.names import NAME_MAX, number, table, text
from streamer.recording import Row

_TITLES = {
    "photons": "light",
    "similarity": "similarity",
    "signal_map": "specimen",
    "range": "input",
    "evidence": "evidence",
    "agreement": "two halves",
    "bleaching": "light ahead",
    "consistency": "counts",
    "health": "frame",
    "scene": "scene",
    "trust": "trust",
    "splitter": "image splitter",
    "views": "guards",
}
#: What a guard's status means for who looks at the picture: flag, reject.
_MEANS: Mapping[str, tuple[str, str]] = {
    "photons": (
        "soon there may be too little light for a true picture",
        "there is too little light for the model: do not believe what it draws",
    ),
    "similarity": (
        "the pictures change more than at the start; look for movement or invented structure",
        "the pictures change too much to be one story: focus lost, cell dying or invented",
    ),
    "signal_map": (
        "this frame could not be judged",
        "nothing in view to look at: is the cell in focus and the light on?",
    ),
    "range": (
        "the model never saw images like this: check the settings before you trust the picture",
        "the image or the picture is damaged: do not believe this frame",
    ),
    "evidence": (
        "part of what is drawn may be invented: too few photons to tell",
        "most of what is drawn has no photons to show for it: do not believe it",
    ),
    "agreement": (
        "the picture depends more on noise than at the start",
        "the picture depends on noise: fine structure is not to be believed",
    ),
    "bleaching": (
        "plan for the end of the light, or look for its cause",
        "the light has fallen below what the model needs",
    ),
    "consistency": (
        "look there before you measure",
        "the picture does not explain the photons: do not believe this frame",
    ),
    "health": ("do not measure there", "this frame is damaged: leave it out"),
    "trust": ("do not measure where trust is low", "do not believe what is drawn"),
    "scene": ("look at the specimen", "focus again: the picture is blurred or invented"),
}
_AFTER_HOST = re.compile(r"[/?#].*")
_ELSE = ("worth a look", "do not believe this frame")
_NOUNS = {
    "stop": "stop",
    "pause": "pause",
    "adjust": "adjustment",
    "resume": "resumption",
    "make safe": "light off",
}
_DONE = {
    "stop": "stopped",
    "pause": "paused",
    "adjust": "adjusted",
    "resume": "resumed",
    "make safe": "light off",
}


def titled(guard: str) -> str:
    """What a guard looks at, in a word or two."""
    return _TITLES.get(guard, guard)


def judged(
    guard: str, view: str, status: str, meaning: str, *, explain: bool, since: int | None = None
) -> str:
    """A verdict whose status changed.

    Args:
        guard, view, status, meaning: of the verdict.
        explain: say what the status means; not where nothing could be measured, which the meaning says.
        since: the frame from which on it has been better.
    """
    title = titled(guard) + (f" ({view})" if view else "")
    if status == "pass":
        return f"{title}: in order again since frame {since}: {meaning}".rstrip(": ")
    words = f"{title}: better since frame {since}: {meaning}" if since is not None else f"{title}: {meaning}"
    means = _MEANS.get(guard, _ELSE)[status == "reject"]
    return f"{words} - {means}" if explain else words


def decided(row: Row) -> str:
    """A decision of the guards."""
    reason, action = text(row.get("reason")), _action(row)
    if row.get("withheld"):
        return reason or f"dry run: would have decided: {text(row.get('withheld'), NAME_MAX)}"
    why = reason.removeprefix("stopped: ").removeprefix("paused: ")
    if action == "adjust":
        return f"adjustment decided: {reason.removeprefix('adjusted ')}"
    return f"{_NOUNS.get(action, action)} decided: {why}" + _for_s(row)


def requested(row: Row) -> str:
    """What somebody asked for."""
    action, by = _action(row), text(row.get("by"), NAME_MAX)
    reason = text(row.get("note" if "note" in row else "reason"))
    words = f"{_NOUNS.get(action, action)} asked for" + (f" by {by}" if by else "")
    return f"{words}: {reason}" if reason else words


def carried_out(row: Row) -> str:
    """What the microscope did about a decision or request."""
    action, detail = _action(row), text(row.get("detail"))
    if row.get("ok") is False:
        why = detail or "the microscope gave no reason"
        return (
            f"NOT resumed: {why}"
            if action == "resume"
            else f"{_NOUNS.get(action, action)} NOT carried out: {why}"
        )
    values = _values(row)
    paused_s = values.pop("paused_s", None)
    after = f" after {paused_s:.3g} s" if paused_s is not None else ""
    facts = [f"{text(key, NAME_MAX)} = {value:.4g}" for key, value in values.items()]
    for key, words in (("safe_ms", "light off after"), ("ended_ms", "acquisition told to end after")):
        took_ms = number(row.get(key))
        facts += [f"{words} {took_ms:.3g} ms"] if took_ms == took_ms else []
    facts += [detail] if detail else []
    done = _DONE.get(action, action) + after
    return f"{done}: {', '.join(facts)}" if facts else done


def notified(row: Row) -> str:
    """What became of telling somebody."""
    whom = next((text(row.get(key)) for key in ("target", "to", "command", "url") if row.get(key)), "")
    if "://" in whom:  # what follows the host may be a secret
        whom = _AFTER_HOST.sub("", whom.partition("://")[2].rpartition("@")[2])
    detail = text(row.get("detail")) or text(row.get("words"))
    words = "notification failed" if row.get("ok") is False else "notified"
    return ": ".join(filter(None, (f"{words} {whom}".rstrip(), detail)))


def _action(row: Row) -> str:
    return text(row.get("action"), NAME_MAX) or "something"


def _for_s(row: Row) -> str:
    pause_s = number(row.get("pause_s"))
    return f" (for {pause_s:g} s)" if row.get("action") == "pause" and pause_s > 0 else ""


def _values(row: Row) -> dict[str, float]:
    known = {key: number(value) for key, value in list(table(row.get("values")).items())[:16]}
    return {key: value for key, value in known.items() if value == value}
