"""What the four cards say, row by row: they must not look well where anything gives cause for doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from conftest import Watched
from fake_run import FakeRun, FakeServer

from streamer.reading.words import judged

GUARDS = ("signal_map", "photons", "similarity", "range")
MEANINGS = {
    "signal_map": "no foreground: the field looks empty (0% of the field holds signal, 1% is uncertain)",
    "photons": "signal is gone: 6.7 photons per foreground box against a floor of 8 (27% of the start)",
    "similarity": "adjacent predictions no longer agree: similarity 0.41, at the start 0.87 ± 0.02",
    "range": "the noise has 0.1 times the variance of photon counts; are these photons?",
}
WELL = {
    "seq": 90,
    "where": "0,0,600,600",
    "drawn": 9000,
    "unsupported": 0.01,
    "uncertain": 0.2,
    "rough": False,
    "part": False,
}
Answers = dict[str, dict[str, Any]]
Ask = Callable[..., Answers]
AskAll = Callable[[list[tuple[list[dict[str, Any]], dict[str, Any]]]], list[Answers]]


def verdict(
    guard: str, status: str = "pass", view: str = "", measured: float | None = 20.0
) -> dict[str, Any]:
    fields = {"limit": 8.0, "values": {}, "view": view, "meaning": MEANINGS.get(guard, f"{guard}: wrong")}
    return {"guard": guard, "status": status, "measured": measured, **fields}


def verdicts(view: str = "", **status: str) -> list[dict[str, Any]]:
    """Of all guards; those that are not named pass."""
    return [verdict(guard, status.get(guard, "pass"), view) for guard in GUARDS]


def snapshot(seq: int = 90, **fields: Any) -> dict[str, Any]:
    return {
        "run": "/data/runs/cell 7",
        "state": "running",
        "seq": seq,
        "planned": 260,
        "recorded": seq + 1,
        "processed": seq + 1,
        "dropped": 0,
        "waiting": 0,
        "lag_ms": 100.0,
        "fps": 2.0,
        "elapsed_s": 45.0,
        "verdicts": verdicts(),
        "decision": {"action": "continue", "reason": ""},
    } | fields


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Watched]:
    """The page's own modules, in a browser."""
    server = FakeServer(FakeRun())
    server.start()
    context = browser.new_context()
    watched = Watched(context.new_page())
    watched.page.goto(server.url)
    yield watched
    assert watched.errors == []
    context.close()
    server.stop()


#: What is known beside the snapshots, by default.
KNOWN = {"shares": WELL, "state": "running", "seconds": 400.0, "view": "", "stop": "", "log": []}


@pytest.fixture
def ask_all(page: Watched) -> AskAll:
    """The answers in cases of (snapshots one after the other, what else is known)."""

    def asked(cases: list[tuple[list[dict[str, Any]], dict[str, Any]]]) -> list[Answers]:
        found: list[Answers] = page.page.evaluate(
            """async (cases) => {
              const { answers } = await import("/static/js/vitals.js");
              const { Judgements } = await import("/static/js/judge.js");
              return cases.map(([snapshots, { shares, state, seconds, view, stop, log }]) => {
                const judgements = new Judgements();
                for (const each of snapshots) judgements.take(each);
                judgements.told(log);
                return answers({
                  snapshot: snapshots.at(-1), judged: judgements.of(view), shares, guardStop: stop, trend: 0,
                  left: seconds === null ? null : { seconds, words: "" },
                  state: { key: state, over: ["stopped", "finished", "failed", "left"].includes(state) },
                });
              });
            }""",
            [[snapshots, KNOWN | known] for snapshots, known in cases],
        )
        return found

    return asked


@pytest.fixture
def ask(ask_all: AskAll) -> Ask:
    """The answers to snapshots one after the other."""
    return lambda *snapshots, **known: ask_all([(list(snapshots), known)])[0]


@pytest.mark.parametrize(
    ("status", "shares", "mood", "main", "because"),
    [
        ({}, {}, "good", "No doubts", "79 % well supported"),
        ({}, {"part": True}, "good", "No doubts", "in view"),
        ({}, {"uncertain": 0.5}, "calm", "With care", "50 % rests on faint light"),
        ({}, {"unsupported": 0.05}, "warning", "In doubt", "5 % has no light behind it"),
        ({}, {"unsupported": 0.2}, "bad", "Do not trust", "20 % has no light behind it"),
        ({}, {"unsupported": 0.3, "rough": True}, "warning", "In doubt", "up to 30 %"),
        ({}, {"drawn": 0, "unsupported": 0, "uncertain": 0}, "calm", "No warning", "no structure drawn"),
        ({}, None, "calm", "No warning", "not known"),
        ({}, {"seq": 20}, "calm", "No warning", "not known"),
        ({"photons": "reject"}, {}, "bad", "Do not trust", "Too little light: do not believe it"),
        ({"photons": "flag"}, {}, "warning", "In doubt", "Little light"),
        ({"signal_map": "reject"}, {}, "bad", "Do not trust", "Nothing in view"),
        ({"range": "flag"}, {}, "warning", "In doubt", "Unlike what the model has learned"),
        ({"range": "reject"}, {}, "bad", "Do not trust", "damaged"),
        ({"similarity": "flag"}, {}, "warning", "In doubt", "changes more"),
        ({"similarity": "reject"}, {}, "bad", "Do not trust", "changes too much"),
        ({"similarity": "of a later version"}, {}, "warning", "In doubt", "no longer agree"),
        ({"similarity": "reject", "photons": "reject"}, {}, "bad", "Do not trust", "Too little light"),
        ({"similarity": "flag", "photons": "flag"}, {"unsupported": 0.3}, "bad", "Do not trust", "30 % has"),
        ({"photons": "reject"}, {"unsupported": 0.9}, "bad", "Do not trust", "Too little light"),
    ],
)
def test_the_picture_is_as_good_as_its_gravest_cause(
    ask: Ask, status: dict[str, str], shares: dict[str, Any] | None, mood: str, main: str, because: str
) -> None:
    known = None if shares is None else WELL | shares
    said = ask(snapshot(verdicts=verdicts(**status)), shares=known)["picture"]
    assert (said["mood"], said["main"]) == (mood, main)
    assert because in said["sub"]


def test_no_doubts_are_said_only_where_nothing_gives_cause(ask_all: AskAll) -> None:
    """Every combination of four guards, and of what light supports."""
    supports = ((0.0, 0.1), (0.1, 0.1), (0.5, 0.1), (0.0, 0.9))
    cases = list(product(product(("pass", "flag", "reject"), repeat=4), supports))
    asked: list[tuple[list[dict[str, Any]], dict[str, Any]]] = []
    for statuses, (unsupported, uncertain) in cases:
        told = verdicts(**dict(zip(GUARDS, statuses, strict=True)))
        shares = WELL | {"unsupported": unsupported, "uncertain": uncertain}
        asked.append(([snapshot(verdicts=told)], {"shares": shares}))
    for (statuses, support), found in zip(cases, ask_all(asked), strict=True):
        sound = set(statuses) == {"pass"} and support == (0.0, 0.1)
        assert (found["picture"]["main"] == "No doubts") == sound, (statuses, support)
        assert (found["picture"]["mood"] == "good") == sound, (statuses, support)
        assert (found["picture"]["mood"] == "bad") == ("reject" in statuses or support[0] == 0.5)
        signal_map, photons, *_ = statuses
        if "reject" in (signal_map, photons):
            assert found["cell"]["mood"] == found["left"]["mood"] == "bad"
        elif photons == "flag":
            assert found["cell"]["mood"] == "warning"


def test_unsupported_structure_is_in_the_banner_too_and_held_like_a_guards_doubt(page: Watched) -> None:
    def image(seq: int, unsupported: float, where: str = "0,0,600,600", **more: Any) -> dict[str, Any]:
        return WELL | {"seq": seq, "unsupported": unsupported, "where": where} | more

    def seen(*images: dict[str, Any] | None) -> tuple[Any, Any]:
        """What counts on the card, and what the banner says."""
        card, banner = page.page.evaluate(
            """async (images) => {
              const { Judgements } = await import("/static/js/judge.js");
              const judgements = new Judgements();
              let counts = null;
              for (const each of images) counts = judgements.seen(each);
              return [counts, judgements.worst(100)];
            }""",
            list(images),
        )
        return card and card["unsupported"], banner and banner["meaning"]

    bad, fine = image(89, 0.12), [image(90 + more, 0.01) for more in range(10)]
    told = "12 % has no light behind it: do not measure there"
    assert seen(bad) == seen(bad, *fine[:9]) == (0.12, told)
    assert seen(bad, *fine) == seen(*fine) == (0.01, None)
    assert seen(bad, image(90, 0.01, "0,0,60,60", part=True)) == (0.01, None)  # of another part
    assert seen(image(90, 0.3, part=True))[1] == told.replace("12 %", "30 % in view")
    assert seen(image(90, 0.3, rough=True))[1] is None  # more pixels may well say less
    assert seen(image(20, 0.3))[1] is None  # long ago
    assert seen(bad, None) == (None, None)


def test_every_view_is_judged_by_its_own_guards(ask: Ask) -> None:
    red, green = "position 2, channel red", "position 2, channel green"
    told = [
        snapshot(88, verdicts=verdicts(red, photons="reject")),
        snapshot(89, verdicts=verdicts(green)),
    ]
    assert ask(*told, view=red)["picture"]["main"] == "Do not trust"
    assert ask(*told, view=green)["picture"]["main"] == "No doubts"
    whole = snapshot(90, verdicts=[verdict("splitter", "flag", "position 2")])
    assert ask(*told, whole, view=green)["picture"]["main"] == "In doubt"  # holds for both channels
    unseen = ask(*told, view="position 3, channel red")
    assert unseen["picture"]["mood"] == unseen["cell"]["mood"] == "calm"
    assert ask(*told)["picture"]["main"] == "Do not trust"  # nobody has chosen: the gravest of all


def test_one_sound_frame_does_not_clear_a_doubt(ask: Ask) -> None:
    bad = snapshot(90, verdicts=verdicts(range="reject"))
    after = [snapshot(91 + more) for more in range(10)]
    assert ask(bad, *after[:9])["picture"]["main"] == "Do not trust"
    assert ask(bad, *after[:1], *after[:1] * 20)["picture"]["main"] == "Do not trust"  # said again, not news
    assert ask(bad, *after)["picture"]["main"] == "No doubts"


def said(seq: int, guard: str, status: str, view: str = "") -> dict[str, Any]:
    """An entry of the log, in the words that it really has."""
    since = seq - 9 if status == "pass" else None
    text = judged(guard, view, status, MEANINGS[guard], explain=True, since=since)
    gravity = {"pass": "info", "flag": "warning", "reject": "alarm"}[status]
    return {"seq": seq, "kind": "verdict", "gravity": gravity, "text": text}


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("status", ["flag", "reject"])
def test_what_the_log_says_of_a_frame_that_was_not_sent_holds(ask: Ask, guard: str, status: str) -> None:
    """A page that came later, or missed the snapshot, is no better off than the log."""
    told = [said(70, guard, status)]
    answers = ask(snapshot(), log=told)
    seen = ask(snapshot(verdicts=verdicts(**{guard: status})))
    assert answers["picture"]["main"] == seen["picture"]["main"] != "No doubts"
    assert answers["picture"]["sub"] == seen["picture"]["sub"]
    assert ask(snapshot(), log=[*told, said(90, guard, "pass")])["picture"]["main"] == "No doubts"
    worse = snapshot(verdicts=verdicts(**{guard: "reject"}))
    assert ask(worse, log=[said(30, guard, "pass")])["picture"]["main"] == "Do not trust"  # of before
    red, green = "position 2, channel red", "position 2, channel green"
    views = snapshot(verdicts=verdicts(red) + verdicts(green))
    one = [said(70, guard, status, red)]
    assert ask(views, log=one, view=red)["picture"]["main"] == seen["picture"]["main"]
    assert ask(views, log=one, view=green)["picture"]["main"] == "No doubts"


@pytest.mark.parametrize(
    ("stop", "cell"),
    [(MEANINGS["photons"], "Too dim"), (MEANINGS["signal_map"], "No cell in view"), ("why", "Bright")],
)
@pytest.mark.parametrize("state", ["stopping", "stopped"])
def test_a_guards_stop_is_not_contradicted_by_a_brighter_last_frame(
    ask: Ask, state: str, stop: str, cell: str
) -> None:
    last = snapshot(decision={"action": "stop", "reason": f"stopped: {stop}"})
    said = ask(last, state=state, stop=stop)
    assert said["picture"]["main"] == "Do not trust"
    assert stop.split(":")[0].lower() in said["picture"]["sub"].lower()
    assert said["cell"]["main"] == cell


def test_a_persons_stop_says_nothing_of_the_picture(ask: Ask) -> None:
    last = snapshot(decision={"action": "stop", "reason": "stopped from the page: enough"})
    said = ask(last, state="stopped")
    assert (said["picture"]["main"], said["cell"]["main"]) == ("No doubts", "Bright")


@pytest.mark.parametrize("state", ["lost", "connecting"])
def test_without_news_nothing_looks_well(ask: Ask, state: str) -> None:
    said = ask(snapshot(), state=state)
    assert {answer["mood"] for answer in said.values()} == {"calm"}
    assert "frame 90" in said["picture"]["sub"]
    assert said["machine"]["main"] == said["left"]["main"] == "Unknown"
    worse = ask(snapshot(verdicts=verdicts(photons="reject")), state=state)
    assert worse["picture"]["main"] == "Do not trust"


@pytest.mark.parametrize("state", ["left", "failed"])
def test_of_a_run_that_broke_off_nothing_looks_well_and_no_loss_is_denied(ask: Ask, state: str) -> None:
    said = ask(snapshot(waiting=12), state=state)
    assert "good" not in {answer["mood"] for answer in said.values()}
    assert said["cell"]["sub"] == said["picture"]["sub"] == "at frame 90, the last recorded"
    assert said["machine"]["sub"] == "91 processed · what was sent and not recorded is not known here"
    lost = ask(snapshot(dropped=2), state=state)["machine"]["sub"]
    assert lost == "91 processed · 2 frames lost · what was sent and not recorded is not known here"
    assert ask(snapshot(), state="finished")["machine"]["sub"] == "91 processed · none lost"
    worse = ask(snapshot(verdicts=verdicts(photons="reject")), state=state)
    assert worse["picture"]["main"] == "Do not trust"


@pytest.mark.parametrize(
    ("fields", "state", "seconds", "mood", "main", "under"),
    [
        ({}, "running", 400.0, "calm", "~ 80 s", "to the planned end · 91 of 260"),
        ({}, "running", 44.0, "warning", "~ 40 s", "until too dim · 91 of 260"),
        ({}, "running", 6.0, "warning", "a few seconds", "until too dim"),
        ({"lag_ms": 20_000.0}, "running", 44.0, "warning", "~ 20 s", "until too dim"),
        ({"lag_ms": 60_000.0}, "running", 44.0, "warning", "Hardly any", "too dim any moment"),
        ({"planned": None}, "running", 400.0, "calm", "~ 7 min", "until too dim · 91 frames"),
        ({"planned": None}, "running", None, "calm", "Open end", "91 frames"),
        ({"planned": 5480}, "running", None, "calm", "~ 45 min", "91 of 5,480"),
        ({}, "paused", 44.0, "calm", "Paused", "91 of 260 frames"),
        ({}, "stopping", 44.0, "calm", "Ending", "91 of 260 frames so far"),
        ({}, "finished", 44.0, "calm", "Ended", "91 of 260 frames in 45 s"),
    ],
)
def test_the_time_that_is_left(
    ask: Ask, fields: dict[str, Any], state: str, seconds: float | None, mood: str, main: str, under: str
) -> None:
    said = ask(snapshot(**fields), state=state, seconds=seconds)["left"]
    assert (said["mood"], said["main"]) == (mood, main)
    assert under in said["sub"]


def test_while_the_guards_learn_the_start_nothing_is_claimed(ask: Ask) -> None:
    first = snapshot(0, verdicts=[verdict(guard, measured=None) for guard in ("photons", "similarity")])
    said = ask(first, shares=WELL | {"seq": 0})
    assert (said["cell"]["main"], said["picture"]["main"]) == ("Learning", "Learning")
    for guard in ("photons", "similarity"):  # the others measure from the first frame on
        rest = [verdict(each, measured=None if each == guard else 20.0) for each in GUARDS]
        assert ask(snapshot(verdicts=rest))["picture"]["main"] == "No warning"
    blind = snapshot(1, verdicts=[verdict("photons", "flag", measured=None)])
    said = ask(blind, shares=WELL | {"seq": 1})
    assert (said["cell"]["main"], said["picture"]["main"]) == ("Not judged", "In doubt")


def test_light_that_ends_is_not_called_bright(ask: Ask) -> None:
    assert ask(snapshot(), seconds=0.0)["cell"]["main"] == "Getting dim"
    near = snapshot(verdicts=[verdict("photons", measured=9.9)])
    assert ask(near)["cell"]["main"] == "Getting dim"
    assert ask(snapshot(verdicts=[verdict("photons", measured=10.0)]))["cell"]["main"] == "Bright"


@pytest.mark.parametrize(
    ("fields", "state", "mood", "main"),
    [
        ({}, "running", "good", "Keeping up"),
        ({"processed": 80}, "running", "warning", "Skipping frames"),
        ({"dropped": 2}, "running", "warning", "Frames lost"),
        ({"waiting": 30}, "running", "calm", "Behind"),
        ({"waiting": 8}, "running", "good", "Keeping up"),
        ({"waiting": 1, "lag_ms": 11_000.0}, "running", "calm", "Behind"),
        ({"waiting": 0, "lag_ms": 11_000.0}, "running", "good", "Keeping up"),
        ({"processed": 80}, "finished", "warning", "Skipping frames"),
        ({}, "finished", "calm", "Done"),
        ({}, "paused", "calm", "Resting"),
        ({}, "failed", "bad", "Failed"),
        ({"seq": -1, "recorded": 0, "processed": 0, "verdicts": []}, "waiting", "calm", "Ready"),
    ],
)
def test_the_computer(ask: Ask, fields: dict[str, Any], state: str, mood: str, main: str) -> None:
    said = ask(snapshot(**fields), state=state)
    assert (said["machine"]["mood"], said["machine"]["main"]) == (mood, main)


def test_before_the_first_frame_nothing_is_claimed(ask: Ask) -> None:
    said = ask(snapshot(-1, recorded=0, processed=0, verdicts=[]), shares=None, state="waiting")
    assert said["picture"]["sub"] == said["cell"]["sub"] == "no frame yet"


def test_a_run_is_called_by_the_last_part_of_its_path(page: Watched) -> None:
    paths = ["/data/runs/cell 7", "C:\\data\\cell 7\\", "cell 7", "", None]
    said = page.page.evaluate(
        'async (all) => all.map((await import("/static/js/words.js")).lastPart)',
        paths,
    )
    assert said == ["cell 7"] * 3 + [""] * 2
