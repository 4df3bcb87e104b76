"""What the page says of a run in a real browser: state, reasons, curves, log, control, lost connections."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from fake_run import FakeRun, FakeServer

WHY = "7.1 photons per box, below the floor of 8"


def is_dim(values: str) -> bool:
    """Whether the newest value of the photons is below their floor of 8."""
    return float(values.split("floor")[0]) < 8


def asks(run: FakeRun) -> list[dict[str, Any]]:
    return [said for said in run.said if said["type"] == "ask"]


def test_a_stop_turns_the_page_shows_why_and_calls_who_asked_for_it(run: FakeRun, watched: Any) -> None:
    watched.until("window.streamer.state", lambda state: state == "running")
    assert watched.get("document.getElementById('reason').hidden")
    watched.page.click("#alarm")
    assert watched.get("document.getElementById('alarm').getAttribute('aria-pressed')") == "true"
    run.seq = 243
    run.log.append(run.entry(run.seq, "decision", "alarm", f"stop decided: {WHY}"))
    run.state, run.reason = "stopped", WHY
    watched.until("window.streamer.state", lambda state: state == "stopped")
    assert watched.text("state-word") == "Stopped"
    assert watched.text("reason-text") == WHY
    assert watched.get("document.getElementById('state-shape').getAttribute('href')") == "#i-stopped"
    assert watched.get("document.getElementById('favicon').href").endswith("/stopped.svg")
    assert watched.get("window.streamer.counts.rung") == 1
    assert "Stopped" in watched.page.title()
    assert WHY in watched.page.locator("#log li").first.inner_text()
    assert not watched.page.locator("#do-stop").is_visible()
    watched.until("document.querySelector('[data-chart=photons] .chart-values').textContent", is_dim)
    watched.until("[...document.querySelectorAll('.thumb')].at(-1).dataset.seq", lambda seq: int(seq) > 200)
    assert "Too dim" in watched.page.locator("#vital-cell").inner_text()
    assert watched.errors == []


@pytest.mark.parametrize(
    ("state", "word", "reason"),
    [
        ("waiting", "Waiting", ""),
        ("paused", "Paused", WHY),
        ("stopping", "Stopping", WHY),
        ("failed", "Failed", WHY),
        ("finished", "Finished", ""),
        ("left", "Interrupted", "broke off"),
    ],
)
def test_each_state_has_a_word_a_shape_and_its_reason(
    run: FakeRun, open_page: Any, state: str, word: str, reason: str
) -> None:
    run.state, run.reason = state, reason
    watched = open_page(image=False)
    watched.until("document.getElementById('state-word')?.textContent", lambda text: text == word)
    assert reason in watched.text("reason-text")
    shape = watched.get("document.getElementById('state-shape').getAttribute('href')").removeprefix("#")
    assert watched.page.locator(f"symbol[id='{shape}']").count() == 1


def test_a_doubtful_picture_is_a_warning_in_words(run: FakeRun, watched: Any) -> None:
    run.verdict = "reject"
    watched.until("window.streamer.state", lambda state: state == "warning")
    assert "less alike" in watched.text("reason-text")
    assert "Do not trust" in watched.page.locator("#vital-picture").inner_text()
    run.verdict = "pass"
    for _ in range(10):  # one frame that passes does not clear it
        assert watched.get("window.streamer.state") == "warning"
        run.seq += 1
        watched.until("document.title", lambda title: f" {run.seq} " in title)
    watched.until("window.streamer.state", lambda state: state == "running")


def test_the_place_of_the_recording_is_nobodys_business(run: FakeRun, open_page: Any) -> None:
    run.name = "/home/somebody/runs/mitochondria-07"
    watched = open_page()
    assert "mitochondria-07" in watched.text("run-name")
    assert "mitochondria-07" in watched.page.title()
    assert "/home" not in watched.get("document.title + document.body.innerText")
    assert watched.text("state-under") == "mitochondria-07"


def test_how_a_run_ended_stays_when_its_page_goes(run: FakeRun, server: FakeServer, watched: Any) -> None:
    run.state, run.reason = "stopped", WHY
    watched.until("window.streamer.state", lambda state: state == "stopped")
    server.stop()
    watched.until("document.getElementById('reason-text').textContent", lambda text: "closed" in text)
    assert watched.get("window.streamer.state") == "stopped"
    assert f"{WHY}. This page has closed" in watched.text("reason-text")
    server.start()


def test_the_report_is_a_link_only_while_it_can_be_opened(
    run: FakeRun, server: FakeServer, watched: Any
) -> None:
    link = watched.page.locator("#report")
    run.state = "finished"
    watched.until("window.streamer.state", lambda state: state == "finished")
    assert not link.is_visible()
    run.report = True
    link.wait_for()
    server.stop()
    words = watched.until("document.getElementById('reason-text').textContent")
    assert not link.is_visible()
    assert "streamer attach mitochondria-07 shows the recording again" in words
    assert "its report is report.html in the recording" in words
    server.start()
    link.wait_for()


def test_of_a_run_that_broke_off_no_report_is_claimed(
    run: FakeRun, server: FakeServer, open_page: Any
) -> None:
    run.folder, run.state = "cell 7", "left"
    watched = open_page()
    assert not watched.page.locator("#report").is_visible()
    server.stop()
    reason = "document.getElementById('reason-text').textContent"
    words = watched.until(reason, lambda text: "This page has closed" in text)
    assert "streamer attach 'cell 7' shows the recording again" in words
    assert "streamer report 'cell 7' makes a report" in words
    assert "report.html" not in words
    server.start()


def test_on_a_phone_the_buttons_that_lost_their_words_keep_their_names(run: FakeRun, open_page: Any) -> None:
    watched = open_page(390, 844, is_mobile=True, has_touch=True)
    for name in ("Mark", "Pause", "Stop"):
        button = watched.page.get_by_role("button", name=name, exact=True)
        assert button.is_visible()
        assert button.get_attribute("title")
    run.state = "paused"
    watched.page.get_by_role("button", name="Resume", exact=True).wait_for()


def test_news_that_stop_coming_are_said(run: FakeRun, watched: Any) -> None:
    run.link = "lost"
    watched.until("document.getElementById('state-word').textContent", lambda text: text == "No news")
    assert "recording itself may well go on" in watched.text("reason-text")


def test_the_page_comes_back_by_itself_after_the_server_is_killed(
    run: FakeRun, server: FakeServer, watched: Any
) -> None:
    watched.until("window.streamer.state", lambda state: state == "running")
    server.stop()
    watched.until("window.streamer.state", lambda state: state == "lost")
    assert watched.text("state-word") == "No contact"
    assert "Trying again by itself" in watched.text("reason-text")
    watched.until("document.getElementById('reason-soon').textContent")
    assert "Last image" in watched.text("when-text")
    run.seq += 20
    server.start()
    watched.until("window.streamer.state", lambda state: state == "running")
    watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq)
    assert watched.get("document.getElementById('reason').hidden")
    run.seq += 1
    watched.until("window.streamer.shown.seq", lambda seq: seq == run.seq)
    assert all("ERR_CONNECTION_REFUSED" in error for error in watched.errors)


def test_curves_are_drawn_and_grow(run: FakeRun, watched: Any) -> None:
    titles = watched.until(
        "[...document.querySelectorAll('.chart-title')].map((title) => title.textContent)",
        lambda found: len(found) == 6,
    )
    assert titles == ["Photons", "Similarity", "Resolution", "Light dose", "Lag, queue", "Time per step"]
    points = watched.get("window.streamer.counts.points")
    drawn = "document.querySelector('[data-chart=photons] canvas').toDataURL()"
    before = watched.get(drawn)
    run.seq += 25
    curves = len(run.curve_values(0))
    watched.until("window.streamer.counts.points", lambda now: now == points + 25 * curves)
    watched.until(drawn, lambda now: now != before)
    values = watched.page.locator("[data-chart=photons] .chart-values").inner_text()
    assert "floor 8" in values
    watched.page.get_by_role("button", name="Photons").click()
    assert watched.page.locator("#chart-big").is_visible()
    watched.press("Escape")
    assert watched.errors == []


def test_a_click_on_a_curve_looks_at_that_moment(run: FakeRun, watched: Any) -> None:
    chart = watched.page.locator("[data-chart=similarity] .u-over")
    chart.wait_for()
    box = chart.bounding_box()
    watched.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    shown = watched.until("window.streamer.shown", lambda now: not now["live"] and now["seq"] < run.seq)
    assert abs(shown["seq"] - run.seq / 2) < run.seq / 10


def test_the_log_is_told_in_its_order_and_leads_to_frames(run: FakeRun, watched: Any) -> None:
    entries = watched.page.locator("#log li")
    assert entries.count() == len(run.log)
    run.log.append(run.entry(59, "verdict", "warning", "<img src=x onerror=alert(1)> & 'quotes'"))
    watched.until("document.querySelectorAll('#log li').length", lambda count: count == len(run.log))
    assert "<img src=x" in entries.first.inner_text()
    assert watched.page.locator("#log img").count() == 0
    watched.page.click("#log-grave")
    assert entries.count() == 2
    watched.page.get_by_label("Look at frame 31").click()
    watched.until("window.streamer.shown.seq", lambda seq: seq == 31)


def test_control_asks_first_and_sends_the_note(run: FakeRun, watched: Any) -> None:
    watched.page.click("#do-stop")
    assert watched.page.locator("#confirm").is_visible()
    assert "lasers go dark first" in watched.text("confirm-words")
    watched.press("Escape")
    assert not watched.page.locator("#confirm").is_visible()
    watched.press("m")
    watched.page.fill("#confirm-note", "drug added")
    watched.page.click("#confirm-yes")
    watched.until("document.getElementById('toasts').textContent", lambda text: "mark asked for" in text)
    run.answers["stop"] = (False, "refused: the microscope is in a dry run")
    watched.press("x")
    watched.page.fill("#confirm-note", "enough")
    watched.page.click("#confirm-yes")
    watched.until("document.getElementById('toasts').textContent", lambda text: "dry run" in text)
    assert [(ask["action"], ask["note"]) for ask in asks(run)] == [("mark", "drug added"), ("stop", "enough")]
    run.state = "paused"
    watched.page.locator("#do-resume").wait_for()
    assert not watched.page.locator("#do-pause").is_visible()


def test_without_permission_there_is_nothing_to_press(run: FakeRun, open_page: Any) -> None:
    run.control = False
    watched = open_page()
    assert watched.page.locator(".act:visible").count() == 0
    assert "--control" in watched.page.locator("#view-only").get_attribute("aria-label")
    watched.press("x", "m", "p")
    assert not watched.page.locator("#confirm").is_visible()


def test_everything_can_be_done_by_keys(run: FakeRun, watched: Any) -> None:
    reached = set()
    for _ in range(60):
        watched.press("Tab")
        reached.add(watched.get("document.activeElement.id || document.activeElement.className"))
    wanted = {
        "stage",
        "divider",
        "do-stop",
        "alarm",
        "on-trust",
        "zoom-in",
        "when-slider",
        "log",
        "chart-title",
    }
    assert wanted <= reached
    unnamed = watched.get(
        """[...document.querySelectorAll("button, input, select, textarea, [role=slider], [role=img]")]
        .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length))
        .map((each) => each.outerHTML)"""
    )
    assert unnamed == []
    watched.press("?")
    assert watched.page.locator("#help").is_visible()
    watched.press("Escape", "Control+Home")
    watched.page.focus("#stage")
    for key, layout in (("1", "raw"), ("3", "denoised"), ("4", "side"), ("2", "split")):
        watched.press(key)
        watched.until(
            "document.getElementById('stage').dataset.layout", lambda now, layout=layout: now == layout
        )
    watched.press("+", "+", "ArrowRight")
    watched.until("window.streamer.shown.region[1]", lambda x: x > 0)
    watched.press("0", ",")
    watched.until("window.streamer.shown.live", lambda live: not live)
    watched.press("l")
    watched.until("window.streamer.shown.live")


def test_nothing_is_fetched_from_elsewhere_and_the_page_is_there_soon(
    server: FakeServer, watched: Any
) -> None:
    assert {urlsplit(url).netloc for url in watched.requested} == {f"127.0.0.1:{server.port}"}
    ready = watched.get("window.streamer.ready")
    assert 0 < ready["page_ms"] <= ready["hello_ms"] <= ready["image_ms"]
    assert watched.errors == []


def test_a_token_does_not_stay_in_the_address(server: FakeServer, open_page: Any) -> None:
    watched = open_page()
    watched.page.goto(f"{server.url}?token=secret")
    watched.until("window.streamer?.ready.image_ms")
    assert watched.page.url == server.url
