"""Asking before something is written."""

from __future__ import annotations

import sys

import click

from reconciler.diagnostics.problem import Failure

YES = "yes"


def confirm(question: str, refused: str, *, auto_approve: bool) -> None:
    """Go on if the answer is yes, or if nobody needs to be asked.

    Raises:
        Failure: nobody can be asked, or the answer is another: the code `refused`.
    """
    if auto_approve:
        return
    if not sys.stdin.isatty():
        raise Failure.of("MBX604")
    answer = click.prompt(question, default="", show_default=False)
    if answer.strip() != YES:
        raise Failure.of(refused, answer=YES)
