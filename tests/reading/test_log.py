"""What happened, in words for who sits at the microscope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from streamer.reading import Log, log
from streamer.reading.words import carried_out


def row(seq: int, *statuses: str, guard: str = "photons", view: str = "", **more: Any) -> dict[str, Any]:
    said = {"guard": guard, "measured": 1.0, "limit": 8.0, "meaning": "6.1 photons per box", "view": view}
    verdicts = [said | {"status": status} for status in statuses]
    return {"seq": seq, "wall_time_s": 100.0 + seq, "processed": True, "verdicts": verdicts} | more


def told(statuses: Iterable[str]) -> list[tuple[int, str]]:
    """The frame and gravity of what is said of a row of statuses."""
    heard = Log()
    for seq, status in enumerate(statuses):
        heard.add_frame(row(seq, status))
    return [(said.seq, said.gravity) for said in heard.entries]


P, F, R = "pass", "flag", "reject"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([P] * 30, []),
        ([P, P, F, F, R, R, R], [(2, "warning"), (4, "alarm")]),
        ([F, P] * 40, [(0, "warning")]),
        ([F] + [P] * 20, [(0, "warning"), (10, "info")]),
        ([R] + [F] * 20, [(0, "alarm"), (10, "warning")]),
        ([R] + [P] * 9 + [R] * 3, [(0, "alarm")]),
        (["nonsense", "", P], []),
    ],
    ids=["content", "graver", "to and fro", "content again", "better", "only nearly", "no status"],
)
def test_a_verdict_is_said_when_its_status_changes_for_good(
    statuses: list[str], expected: list[tuple[int, str]]
) -> None:
    assert told(statuses) == expected


def test_a_decision_of_a_run_that_lags_is_told_at_its_own_time() -> None:
    heard = Log()
    decision = {"kind": "decision", "action": "stop", "seq": 7, "reason": "faded", "wall_time_s": 107.0}
    heard.add_decision(decision)
    heard.add_decision({**decision, "decided_wall_s": 113.7})
    assert [said.wall_time_s for said in heard.entries] == [
        107.0,
        113.7,
    ]  # the first is of an older recording


def test_a_verdict_says_what_was_seen_and_what_it_means() -> None:
    heard = Log()
    heard.add_frame(row(7, R, view="channel red"))
    (said,) = heard.entries
    assert said.text == (
        "light (channel red): 6.1 photons per box - there is too little light for the model: "
        "do not believe what it draws"
    )
    assert (said.seq, said.wall_time_s, said.kind) == (7, 107.0, "verdict")


def test_where_nothing_could_be_measured_only_that_is_said() -> None:
    heard = Log()
    unjudged = row(7, F, guard="similarity")
    unjudged["verdicts"][0] |= {"measured": None, "meaning": "no foreground on which to compare"}
    heard.add_frame(unjudged)
    assert [said.text for said in heard.entries] == ["similarity: no foreground on which to compare"]


@pytest.mark.parametrize(
    "odd", [{"status": ["flag"]}, {"guard": {}}, {"view": 3}, {"meaning": None}], ids=str
)
def test_a_verdict_that_is_none_ends_nothing(odd: dict[str, Any]) -> None:
    heard = Log()
    verdicts = [row(0, F)["verdicts"][0] | odd, row(0, R, guard="range")["verdicts"][0]]
    heard.add_frame(row(0) | {"verdicts": [*verdicts, None, "flag"]})
    assert heard.entries[-1].text.startswith("input: ")


def test_guards_and_views_are_told_apart() -> None:
    heard = Log()
    heard.add_frame(row(0, F, view="channel red"))
    heard.add_frame(row(1, F, view="channel blue"))
    heard.add_frame(row(2, F, guard="range", view="channel red"))
    assert [said.seq for said in heard.entries] == [0, 1, 2]


DECISIONS = [
    (
        {"kind": "decision", "action": "stop", "reason": "stopped: signal is gone: 6.1 photons"},
        ("decision", "alarm", "stop decided: signal is gone: 6.1 photons"),
    ),
    (
        {"kind": "decision", "action": "pause", "reason": "paused: focus lost", "pause_s": 30.0},
        ("decision", "warning", "pause decided: focus lost (for 30 s)"),
    ),
    (
        {"kind": "decision", "action": "adjust", "reason": "adjusted excitation_uw from 4 to 5: dim"},
        ("decision", "warning", "adjustment decided: excitation_uw from 4 to 5: dim"),
    ),
    (
        {
            "kind": "decision",
            "action": "continue",
            "withheld": "stop",
            "reason": "dry run: would have stopped: x",
        },
        ("decision", "warning", "dry run: would have stopped: x"),
    ),
    (
        {
            "kind": "carried out",
            "action": "stop",
            "ok": True,
            "safe_ms": 1.128,
            "ended_ms": 1.13,
            "detail": "",
        },
        ("carried out", "info", "stopped: light off after 1.13 ms, acquisition told to end after 1.13 ms"),
    ),
    (
        {"kind": "carried out", "action": "adjust", "ok": True, "values": {"excitation_uw": 5.0}},
        ("carried out", "info", "adjusted: excitation_uw = 5"),
    ),
    (
        {"kind": "carried out", "action": "stop", "ok": False, "detail": "laser: no answer"},
        ("carried out", "alarm", "stop NOT carried out: laser: no answer"),
    ),
    (
        {"kind": "request", "action": "pause", "reason": "coffee", "by": "the page"},
        ("request", "warning", "pause asked for by the page: coffee"),
    ),
    (
        {"kind": "request", "action": "resume", "by": "the page"},
        ("request", "info", "resumption asked for by the page"),
    ),
    ({"kind": "mark", "note": "drug added", "by": "x"}, ("mark", "info", "marked: drug added")),
    (
        {"kind": "notified", "ok": False, "target": "https://hook.example/T0/secret", "detail": "timed out"},
        ("notice", "warning", "notification failed hook.example: timed out"),
    ),
]


@pytest.mark.parametrize(("decision", "expected"), DECISIONS, ids=lambda value: None)
def test_decisions_and_what_became_of_them_are_said(
    decision: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    heard = Log()
    heard.add_decision(decision | {"seq": 12, "wall_time_s": 50.0})
    (said,) = heard.entries
    assert (said.kind, said.gravity, said.text) == expected
    assert (said.seq, said.wall_time_s) == (12, 50.0)


def test_the_first_stop_is_remembered() -> None:
    heard = Log()
    heard.add_decision({"kind": "decision", "action": "continue", "withheld": "stop", "reason": "dry run"})
    heard.add_decision({"kind": "request", "action": "stop", "ok": False, "reason": "not allowed"})
    assert heard.stop is None
    heard.add_decision(
        {"kind": "request", "action": "stop", "reason": "seen enough", "by": "the page", "seq": 3}
    )
    heard.add_decision({"kind": "decision", "action": "stop", "reason": "stopped: dark", "seq": 4})
    assert heard.stop is not None
    assert (heard.stop.seq, heard.stop.text) == (3, "stop asked for by the page: seen enough")


def test_gaps_and_frames_that_were_passed_over_are_said() -> None:
    heard = Log()
    for seq in (0, 1, 3, 7):
        heard.add_frame(row(seq))
    heard.add_frame(row(8, processed=False))
    heard.add_frame(row(9, processed=False))
    texts = [said.text for said in heard.entries]
    assert texts[0].startswith("frame 2 is missing")
    assert texts[1].startswith("frames 4-6 are missing")
    assert len(texts) == 3
    assert "without being denoised" in texts[2]


def test_a_frame_whose_row_may_be_damaged_is_not_called_lost() -> None:
    heard = Log()
    heard.has_damage = True
    heard.add_frame(row(0))
    heard.add_frame(row(2))
    assert [said.text for said in heard.entries] == [
        "frame 1 is missing: not recorded, or in a damaged line of the rows"
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"kind": ["decision"]},
        {"kind": "decision"},
        {"kind": "decision", "action": {}, "reason": 5, "seq": "x", "wall_time_s": []},
        {"kind": "carried out", "values": [1], "safe_ms": "soon"},
        {"kind": "request", "by": "\x1b[2J\ud800", "reason": "a\nb"},
        {"kind": "mark", "note": "x" * 10_000},
        {"kind": "notified", "target": "https://[bad"},
        {"kind": "of the future"},
    ],
    ids=range(9),
)
def test_rows_from_elsewhere_end_nothing_and_steer_no_terminal(odd: dict[str, Any]) -> None:
    heard = Log()
    heard.add_decision(odd)
    for said in heard.entries:
        assert said.text.isprintable()
        assert len(said.text) <= 1000
        said.text.encode()


def test_only_the_newest_entries_are_kept_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Log()
    for number in range(log.ENTRIES_MAX + 5):
        heard.say("mark", "info", str(number))
    assert (len(heard.entries), heard.left_out, heard.total) == (log.ENTRIES_MAX, 5, log.ENTRIES_MAX + 5)
    assert [said.text for said in heard.since(heard.total - 2)] == ["2003", "2004"]
    assert heard.since(heard.total) == []
    assert heard.since(0) == heard.entries


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({"action": "resume", "ok": True, "values": {"paused_s": 2.198}}, "resumed after 2.2 s"),
        ({"action": "resume", "ok": True}, "resumed"),
        ({"action": "resume", "ok": False, "detail": "no answer"}, "NOT resumed: no answer"),
        ({"action": "resume", "ok": False}, "NOT resumed: the microscope gave no reason"),
        ({"action": "adjust", "ok": True, "values": {"exposure_ms": 300.0}}, "adjusted: exposure_ms = 300"),
    ],
)
def test_what_the_microscope_did_is_said_in_plain_words(stored: dict[str, Any], words: str) -> None:
    assert carried_out(stored) == words
