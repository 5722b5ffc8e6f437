"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.cli import terminal
from reconciler.diagnostics.problem import Failure, WrongUse
from reconciler.diagnostics.words import _
from reconciler.model import cnpj
from reconciler.plan.guards import ELSEWHERE, Acceptance

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path, dir_okay=False)
_ACCEPT = re.compile(r"(?:([^:=]+):)?([a-z-]+)=([1-9][0-9]{0,8})")


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order given."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


settings = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    help=_("Settings file. Default: reconciler.toml at the root of the manifests, or here."),
)
manifests: Callable[[F], F] = together(
    click.argument("paths", nargs=-1, type=click.Path(path_type=Path)),
    click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False),
        help=_("Folder that manifests are named relative to."),
    ),
    settings,
)
database = click.option(
    "--database", "database_url", metavar="URL", help=_("Database. Default: from the settings.")
)


def context(*, paths: bool = False) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The options that lead to a `Context`, with those of manifests where it has `paths`.

    The command gets the context in their place, as `context`.
    """

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        @wraps(function)
        def command(
            settings_file: Path | None,
            database_url: str | None,
            paths: tuple[Path, ...] = (),
            root: Path | None = None,
            **rest: Any,
        ) -> int:
            opened = terminal.context(paths, root, settings_file, database_url)
            return function(context=opened, **rest)

        return together(manifests if paths else settings, database)(command)

    return decorate


selection: Callable[[F], F] = together(
    click.option("--partner", "partners", multiple=True, help=_("Only this partner.")),
    click.option(
        "--server",
        "servers",
        multiple=True,
        metavar="PARTNER/ID",
        help=_("Only this mail server, and what it depends on."),
    ),
)
accept = click.option(
    "--accept",
    "accepted",
    multiple=True,
    metavar="[PARTNER:]GUARD=COUNT",
    help=_("Let a guard pass, by its exact count."),
)
out = click.option("-o", "--out", type=FILE, help=_("Save the plan here."))
results_out = click.option("-o", "--out", type=FILE, help=_("Write the results to this file."))
lock_timeout = click.option(
    "--lock-timeout",
    type=click.FloatRange(0, 86_400),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help=_("How long to wait for another apply."),
)
full = click.option("--full", is_flag=True, help=_("Show every change, however many there are."))


def bare(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """The CNPJ of an option, given with or without its mask, in its bare form."""
    try:
        return None if text is None else cnpj.parse(text)
    except cnpj.CnpjError as error:
        if error.reason == "digits":
            raise Failure.of("MBX614", text=text, expected=error.expected) from None
        raise Failure.of("MBX613", text=text) from None


def output_format(*names: str) -> Callable[[F], F]:
    """The option --format with these choices; the first is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help=_("How to print."),
    )


def acceptances(texts: Iterable[str]) -> tuple[Acceptance, ...]:
    """What `--accept` was given; WrongUse for anything that is not the acceptance of a guard."""
    accepted = []
    for text in texts:
        match = _ACCEPT.fullmatch(text)
        if not match or match[2] not in ELSEWHERE:
            raise WrongUse.of("MBX609", text=text, guards=", ".join(ELSEWHERE))
        accepted.append(Acceptance(match[2], int(match[3]), partner=match[1] or ""))
    return tuple(accepted)
