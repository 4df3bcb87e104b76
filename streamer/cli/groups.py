"""Options that belong together: declared once as a dataclass, taken by a command as one parameter."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from streamer.cli import options
from streamer.errors import UsageError

if TYPE_CHECKING:
    from streamer.apps.compose import ModelSettings
    from streamer.apps.page import PageOptions
    from streamer.apps.watched import Watching

_PAGE, _TELL = "Page", "Telling others"


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command of which each parameter that is a dataclass is an option for each of its fields."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        if is_dataclass(parameter.annotation):
            groups[name] = parameter.annotation
            parameters.extend(_options(parameter.annotation))
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _not_empty(context: typer.Context, parameter: typer.CallbackParam, value: str) -> str:
    """Refuse an option that is given, but with nothing: somebody relies on it."""
    source = context.get_parameter_source(parameter.name or "")
    if not value.strip() and source is not None and source.name != "DEFAULT":
        option = max(parameter.opts, key=len)
        raise UsageError(
            f"{option}: is empty, so nobody would be told; is a variable of your shell not set? "
            "Give a command or an address, or leave the option out"
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """Which networks, and how they are computed."""

    model: options.Model = None
    segmenter: options.Segmenter = None
    engine: options.Engine = "auto"
    precision: options.Precision = "auto"
    threads: options.Threads = None

    def settings(self) -> ModelSettings:
        """The networks as told on the command line."""
        from streamer.apps.compose import ModelSettings

        return ModelSettings(
            model=self.model,
            segmenter=self.segmenter,
            engine=self.engine,
            precision=self.precision,
            threads=self.threads,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where the page of a run is served."""

    page: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="Serve the page at this port; 0, and by default, 8765 or a free one.",
            rich_help_panel=_PAGE,
        ),
    ] = None
    page_host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="Address to serve it at; other than loopback needs a certificate or a proxy.",
            rich_help_panel=_PAGE,
        ),
    ] = "127.0.0.1"
    page_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Certificate (PEM): serve it by https.", rich_help_panel=_PAGE),
    ] = None
    page_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The certificate's key, if not in it.", rich_help_panel=_PAGE),
    ] = None
    page_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="A further address browsers come from: a proxy's.", rich_help_panel=_PAGE
        ),
    ] = None
    behind_proxy: Annotated[
        bool,
        typer.Option("--behind-proxy", help="A proxy in front of it speaks https.", rich_help_panel=_PAGE),
    ] = False

    def place(self) -> PageOptions:
        """What was asked of the page.

        Raises:
            UsageError: it could not come up like this.
        """
        from streamer.apps.page import PageOptions

        options = PageOptions(
            port=self.page,
            host=self.page_host,
            certificate=self.page_cert,
            certificate_key=self.page_key,
            origins=tuple(self.page_origin or ()),
            behind_proxy=self.behind_proxy,
        )
        options.check()
        return options


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage(Page):
    """Whether a run has a page, and where."""

    no_page: Annotated[bool, typer.Option("--no-page", help="Serve no page.", rich_help_panel=_PAGE)] = False
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser.", rich_help_panel=_PAGE)
    ] = False

    def watching(self, *, by_default: bool) -> Watching:
        """How the run may be watched.

        Args:
            by_default: it has a page if the user says nothing.

        Raises:
            UsageError: page and no page, or one that could not come up.
        """
        from streamer.apps.watched import Watching

        asked = self.page is not None or self.open_page
        if self.no_page and asked:
            raise UsageError(f"--no-page and {'--open' if self.open_page else '--page'}: give one of them")
        if not (asked or (by_default and not self.no_page)):
            return Watching()
        return Watching(page=self.place(), opens_browser=self.open_page)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Whom else a run tells what it does; nobody where an option is not given."""

    on_stop: Annotated[
        str,
        typer.Option(
            metavar="CMD|URL",
            callback=_not_empty,
            help="Command or address that is told when the run is stopped or fails.",
            rich_help_panel=_TELL,
        ),
    ] = ""
    on_decision: Annotated[
        str,
        typer.Option(
            metavar="CMD|URL",
            callback=_not_empty,
            help="Command or address that is told each decision but to go on.",
            rich_help_panel=_TELL,
        ),
    ] = ""
