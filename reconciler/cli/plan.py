"""`plan`: show what applying the manifests would change."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import inputs, options, output
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _
from reconciler.operations.commits import commit_of
from reconciler.plan.plan import Plan
from reconciler.render.style import clean

if TYPE_CHECKING:
    from reconciler.plan.file.sign import PlanKey
    from reconciler.plan.file.write import PlanFile

CHANGES = 2
REFUSED = 3
TEST_FAILED = 6


@click.command(
    "plan",
    short_help=_("Show what applying the manifests would change."),
    help=_(
        "Compare the manifests at PATHS with the database and show the difference.\n\n"
        "Nothing is written. What a guard refuses is shown with the reason and the edit "
        "that resolves it, and makes the exit code 3."
    ),
)
@options.manifests
@options.database
@options.selection
@options.accept
@options.full
@options.output_format("text", "json")
@options.out
@click.option(
    "--check-secrets",
    is_flag=True,
    help=_("Read all passwords, and say which have changed."),
)
@click.option(
    "--detailed-exitcode", is_flag=True, help=_("Exit with 2 where there are changes to apply.")
)
def command(
    paths: tuple[Path, ...],
    root: Path | None,
    settings_file: Path | None,
    database_url: str | None,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    accepted: tuple[str, ...],
    full: bool,
    form: str,
    out: Path | None,
    check_secrets: bool,
    detailed_exitcode: bool,
) -> int:
    begun = inputs.begin(paths, root, settings_file, hashing=not (partners or servers))
    from reconciler.cli import planning, settling  # noqa: PLC0415 - while the manifests are being read

    asked = planning.Asked(partners, servers, planning.acceptances(accepted))
    url = inputs.database_url(database_url, begun.settings)
    given = settling.read(begun, url)
    key = inputs.plan_key(given.settings) if out else None
    commit = commit_of(given.loaded.scope.root)
    made = planning.plan(
        given, url, asked, commit, proving=bool(out), checking_secrets=check_secrets
    )
    deliver(made.plan, given, key, out, form, full=full)
    return exit_code(made.plan, detailed=detailed_exitcode)


def deliver(
    plan: Plan,
    given: inputs.Inputs | None,
    key: PlanKey | None,
    out: Path | None,
    form: str,
    *,
    full: bool,
) -> None:
    """Save a plan to `out`, if that is given, and print it; `given` are its manifests, if any."""
    from reconciler.cli import planning  # noqa: PLC0415 - as in `command`

    saved = _file(plan, given, key)
    if out:
        _save(saved, out)
    if form == "json":
        output.pour(map(clean, _file(plan, given, key)))
        return
    planning.show(plan, given, full=full)
    if out and plan.writes:
        how = shlex.quote(str(out)) + ("" if key else f" --expect-digest {saved.digest}")
        output.say(_("Apply it with: reconciler apply {file}").format(file=how))


def exit_code(plan: Plan, *, detailed: bool) -> int:
    """3 with a refusal; with `detailed`, 2 with changes; else 0."""
    if plan.refusals:
        return REFUSED
    return CHANGES if detailed and (plan.applicable or plan.changed_passwords) else 0


def _file(plan: Plan, given: inputs.Inputs | None, key: PlanKey | None) -> PlanFile:
    from reconciler.cli.planning import Locator  # noqa: PLC0415 - as in `command`
    from reconciler.plan.file import write  # noqa: PLC0415 - its models take a while to build

    return write.PlanFile(plan, Locator(given).source, key)


def _save(text: PlanFile, file: Path) -> None:
    """Write the whole file or none of it, for its owner alone."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.writelines(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Failure.of("MBX526", file=str(file), reason=error.strerror or "") from None
