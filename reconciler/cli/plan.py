"""`plan`: show what applying the manifests would change."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.words import _, n_

if TYPE_CHECKING:
    from reconciler.model.unchanged import Unchanged
    from reconciler.operations.context import Context
    from reconciler.operations.inputs import Inputs
    from reconciler.operations.plan import Planned
    from reconciler.plan.file.write import PlanFile, PlanKey
    from reconciler.plan.plan import Plan

CHANGES = 2
REFUSED = 3
TEST_FAILED = 6


@click.command(
    "plan",
    help=_(
        "Compare the manifests at PATHS with the database and show the difference.\n\n"
        "Nothing is written. What a guard refuses is shown with the reason and the edit "
        "that resolves it, and makes the exit code 3."
    ),
)
@options.context(paths=True)
@options.selection
@options.accept
@options.full
@options.output_format("text", "json")
@options.out
@click.option(
    "--check-secrets", is_flag=True, help=_("Read all passwords, and say which have changed.")
)
@click.option(
    "--detailed-exitcode", is_flag=True, help=_("Exit with 2 where there are changes to apply.")
)
def command(
    context: Context,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    accepted: tuple[str, ...],
    full: bool,
    form: str,
    out: Path | None,
    check_secrets: bool,
    detailed_exitcode: bool,
) -> int:
    from reconciler.operations.plan import Ask, plan  # noqa: PLC0415 - `rollback` shares the rest

    key = context.plan_key() if out else None
    ask = Ask(partners, servers, options.acceptances(accepted))
    planned = plan(context, ask, recording=bool(out), check_secrets=check_secrets)
    notice(planned)
    deliver(planned.plan, planned.inputs, planned.unchanged, key, out, form, full=full)
    return exit_code(planned.plan, detailed=detailed_exitcode)


def notice(planned: Planned) -> None:
    """Tell what was noticed while planning."""
    if planned.readable is not None:
        terminal.note(
            n_("{count} password can be read.", "{count} passwords can be read.", planned.readable)
        )
    terminal.show_problems(planned.problems, planned.inputs.sources)
    if planned.skipped:
        terminal.note(
            n_(
                "{count} company without document_import left out of incoming servers",
                "{count} companies without document_import left out of incoming servers",
                planned.skipped,
            )
        )


def deliver(
    plan: Plan,
    inputs: Inputs | None,
    unchanged: tuple[Unchanged, ...],
    key: PlanKey | None,
    out: Path | None,
    form: str,
    *,
    full: bool,
) -> None:
    """Save a plan to `out`, if that is given, and print it; `inputs` are its manifests, if any."""
    from reconciler.operations.locate import Locator  # noqa: PLC0415 - while manifests are read
    from reconciler.plan.file.write import PlanFile  # noqa: PLC0415
    from reconciler.render import plan_json  # noqa: PLC0415

    saved = PlanFile(plan, unchanged, key)
    if out:
        _save(saved, out)
    if form == "json":
        terminal.pour(plan_json.document(plan, Locator(inputs).source))
        return
    show(plan, inputs, full=full)
    if out and plan.writes:
        how = shlex.quote(str(out)) + ("" if key else f" --expect-digest {saved.digest}")
        terminal.say(_("Apply it with: reconciler apply {file}").format(file=how))


def show(plan: Plan, inputs: Inputs | None, *, full: bool) -> None:
    """Print a plan for people."""
    from reconciler.operations.locate import Locator  # noqa: PLC0415 - as in `deliver`
    from reconciler.render import plan_text  # noqa: PLC0415

    terminal.say(plan_text.lines(plan, terminal.style(), Locator(inputs).line, full=full))


def exit_code(plan: Plan, *, detailed: bool) -> int:
    """3 with a refusal; with `detailed`, 2 with changes; else 0."""
    if plan.refusals:
        return REFUSED
    return CHANGES if detailed and (plan.applicable or plan.changed_passwords) else 0


def _save(lines: PlanFile, file: Path) -> None:
    """Write the whole file or none of it, for its owner alone."""
    from reconciler.manifests.atomic import OWNER_ONLY, failing, replacing  # noqa: PLC0415

    with failing(file), replacing(file, OWNER_ONLY) as stream:
        stream.writelines(line.encode() for line in lines)
