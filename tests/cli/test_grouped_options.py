"""Options that belong together are declared once, and mean the same for each command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from apps_cli import run_cli
from typer.testing import CliRunner

from streamer.apps.page import PageOptions
from streamer.apps.watched import Watching
from streamer.cli import options
from streamer.cli.groups import Networks, RunPage, grouped
from streamer.cli.main import app
from streamer.errors import UsageError

PAGE_OPTIONS = ("--page", "--page-host", "--page-cert", "--page-key", "--page-origin", "--behind-proxy")
RUN_OPTIONS = ("--no-page", "--open")


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """A group."""

    red: Annotated[int, typer.Option(min=0)] = 1
    blue: options.Control = False


APP = typer.Typer()


@APP.command()
@grouped
def paint(*, what: Annotated[str, typer.Argument()], colours: Colours, quiet: options.Quiet = False) -> None:
    """Paint."""
    typer.echo(f"{what} {colours} {quiet}")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("wall",), "wall Colours(red=1, blue=False) False"),
        (("--red", "3", "wall", "-q", "--control"), "wall Colours(red=3, blue=True) True"),
    ],
    ids=["defaults", "given"],
)
def test_a_group_is_an_option_for_each_of_its_fields(args: tuple[str, ...], said: str) -> None:
    assert CliRunner().invoke(APP, list(args)).stdout.strip() == said


def test_a_group_checks_like_any_option() -> None:
    done = CliRunner().invoke(APP, ["wall", "--red", "-1"])
    assert done.exit_code == 2


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("live", (*PAGE_OPTIONS, *RUN_OPTIONS, "--control", "--on-stop", "--on-decision", "--model")),
        ("demo", (*PAGE_OPTIONS, *RUN_OPTIONS, "--control", "--on-stop", "--on-decision", "--model")),
        ("replay", (*PAGE_OPTIONS, *RUN_OPTIONS, "--model", "--threads")),
        ("attach", (*PAGE_OPTIONS, "--control", "--terminal", "--no-browser")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_help_of_a_command_names_them(
    command: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = run_cli(command, "--help").out
    assert [name for name in names if name not in text] == []


@pytest.mark.parametrize(
    ("page", "by_default", "watching"),
    [
        (RunPage(), True, Watching(page=PageOptions())),
        (RunPage(), False, Watching()),
        (RunPage(no_page=True), True, Watching()),
        (RunPage(page=0), False, Watching(page=PageOptions(port=0))),
        (RunPage(open_page=True), False, Watching(page=PageOptions(), opens_browser=True)),
        (
            RunPage(page_host="0.0.0.0", behind_proxy=True, page_origin=["https://a.org"]),
            True,
            Watching(page=PageOptions(host="0.0.0.0", behind_proxy=True, origins=("https://a.org",))),
        ),
        (RunPage(page_host="0.0.0.0"), False, Watching()),
    ],
    ids=["by itself", "quiet", "unwanted", "quiet but wanted", "opened", "behind a proxy", "place alone"],
)
def test_when_a_run_has_a_page(page: RunPage, by_default: bool, watching: Watching) -> None:
    assert page.watching(by_default=by_default) == watching


@pytest.mark.parametrize(
    "page", [RunPage(no_page=True, page=0), RunPage(no_page=True, open_page=True)], ids=str
)
def test_a_page_is_wanted_or_not(page: RunPage) -> None:
    with pytest.raises(UsageError, match=r"--no-page and --(page|open): give one of them"):
        page.watching(by_default=True)


@pytest.mark.parametrize("option", ["--on-stop", "--on-decision"])
@pytest.mark.parametrize("command", ["live", "demo"])
@pytest.mark.parametrize("nothing", ["", "  "], ids=["empty", "blank"])
def test_who_is_to_be_told_is_somebody_or_not_given(command: str, option: str, nothing: str) -> None:
    """A variable of the shell that is not set must not be taken for a wish that nobody is told."""
    with pytest.raises(UsageError, match=f"{option}: is empty, .* or leave the option out") as refused:
        app([command, option, nothing], standalone_mode=False)
    assert refused.value.exit_code == 2


def test_networks_are_handed_on() -> None:
    settings = Networks(model="m", segmenter="s", engine="torch", precision="f32", threads=3).settings()
    assert (settings.model, settings.segmenter, settings.engine) == ("m", "s", "torch")
    assert (settings.precision, settings.threads) == ("f32", 3)


def test_a_page_that_cannot_be_ends_the_command_before_anything_is_made(tmp_path: Path) -> None:
    done = run_cli("demo", "--out", tmp_path / "run", "--page-host", "0.0.0.0")
    assert done.code == 2
    assert "--behind-proxy" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()
