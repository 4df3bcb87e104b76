"""What a page may say: known messages are understood, everything else is refused and never crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.preview.server.messages import (
    LAYERS,
    MESSAGE_MAX,
    Asked,
    Drawn,
    StripWanted,
    ViewWanted,
    parse,
)

VIEW = {"type": "view", "width": 600, "height": 400}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "drawn", "seq": 5}, Drawn(5)),
        ({"type": "strip", "count": 24, "width": 72}, StripWanted(24, 72)),
        ({"type": "ask", "id": 1, "action": "stop", "note": "why"}, Asked(1, "stop", "why")),
        ({"type": "ask", "id": 1, "action": "mark"}, Asked(1, "mark", "")),
        (
            {**VIEW, "position": 3, "channel": "red", "z": "top", "seq": None, "region": [0, -5, 10, 20]},
            ViewWanted(
                position=3,
                channel="red",
                z="top",
                seq=None,
                box=(400, 600),
                region=(0, -5, 10, 20),
                layers=LAYERS,
            ),
        ),
        (
            {**VIEW, "channel": None, "seq": 7, "layers": ["trust", "raw", "trust"]},
            ViewWanted(
                position=None,
                channel="",
                z=None,
                seq=7,
                box=(400, 600),
                region=None,
                layers=("raw", "trust"),
            ),
        ),
    ],
)
def test_known_messages(said: dict[str, Any], meant: object) -> None:
    assert parse(json.dumps(said)) == meant


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("{}", "type is none of"),
        ('{"type":["view"]}', "type is none of"),
        ("[" * 4000, "nested|not JSON"),
        ('{"type":"drawn","seq":NaN}', "not JSON"),
        ('{"type":"drawn"}', "seq is missing"),
        ('{"type":"drawn","seq":true}', "not a whole number"),
        ('{"type":"drawn","seq":-1}', "not a whole number"),
        ('{"type":"drawn","seq":1e9}', "not a whole number"),
        ('{"type":"drawn","seq":1,"more":2}', "'more' is not known"),
        ('{"type":"strip","count":65,"width":72}', "from 1 to 64"),
        ('{"type":"strip","count":24,"width":5000}', "from 8 to 256"),
        ('{"type":"ask","id":1,"action":"stop","note":"' + "a" * 501 + '"}', "at most 500"),
        ('{"type":"ask","id":1,"action":5}', "action is not a text"),
        (json.dumps({**VIEW, "width": 4097}), "from 1 to 4096"),
        (json.dumps({**VIEW, "region": [0, 0, 0, 5]}), "region is not"),
        (json.dumps({**VIEW, "region": [0, 0, 5]}), "region is not"),
        (json.dumps({**VIEW, "layers": ["raw", {}]}), "layers are not"),
        (json.dumps({**VIEW, "position": [1]}), "position is not"),
        (json.dumps({**VIEW, "channel": 5}), "channel is not"),
        ('{"type":"drawn","seq":1}' + " " * MESSAGE_MAX, "longer than"),
        ('"' + "é" * 2500 + '"', "longer than"),
        ('{"type":"drawn","seq":' + "9" * 4000 + "}", "not"),
    ],
)
def test_everything_else_is_refused_in_words(said: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        parse(said)
    assert len(str(refused.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["seq", "width", "height", "region", "layers", "position", "channel", "z", "id", "note"]
)
TYPES = st.fixed_dictionaries({"type": st.sampled_from(["view", "drawn", "strip", "ask"])})


@given(
    st.one_of(
        st.text(),
        JSON.map(json.dumps),
        st.builds(lambda t, f: json.dumps({**f, **t}), TYPES, st.dictionaries(KEYS, JSON)),
    )
)
def test_no_text_crashes_the_parser(said: str) -> None:
    try:
        meant = parse(said)
    except ValueError:
        return
    assert isinstance(meant, (ViewWanted, Drawn, StripWanted, Asked))
