"""`apply`: make the changes, in one transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.cli.plan import TEST_FAILED, exit_code, notice, show
from reconciler.cli.reporting import Progress, report
from reconciler.diagnostics.problem import Failure, Problem, WrongUse
from reconciler.diagnostics.words import N_, _, n_
from reconciler.operations.apply import apply
from reconciler.operations.commit import Applied
from reconciler.operations.inputs import Inputs
from reconciler.operations.plan import Ask
from reconciler.operations.transaction import Work
from reconciler.operations.verify import Verification
from reconciler.plan.file.read import SavedPlan
from reconciler.plan.file.write import PlanKey
from reconciler.plan.plan import Plan, summarise
from reconciler.probes.results import Level, ProbeResult
from reconciler.render.plan_text import done

_DIGEST = re.compile(r"sha256:[0-9a-fA-F]{64}")


@click.command(
    "apply",
    help=_(
        "Apply the manifests at PATHS, or a plan that `plan -o` saved.\n\n"
        "Partners that nothing is refused for are applied together in one transaction; "
        "the others are left as they are, and the exit code is 3. A new database gets "
        "its tables first."
    ),
)
@options.manifests
@options.database
@options.selection
@options.accept
@options.full
@options.lock_timeout
@click.option(
    "--expect-digest",
    "digest",
    metavar="DIGEST",
    help=_("Apply the saved plan only if this is its digest."),
)
@click.option("--auto-approve", is_flag=True, help=_("Do not ask before writing."))
@click.option(
    "--verify",
    "level",
    is_flag=False,
    flag_value=str(Level.LOGIN),
    type=click.Choice([str(level) for level in Level]),
    metavar="[=LEVEL]",
    help=_("Test what will be active before writing; the level is login unless given."),
)
@click.option(
    "--on-failure",
    type=click.Choice(("refuse", "deactivate")),
    default="refuse",
    show_default=True,
    help=_("What to do where a test fails: leave the partner as it is, or apply it inactive."),
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
    lock_timeout: float,
    digest: str | None,
    auto_approve: bool,
    level: str | None,
    on_failure: str,
) -> int:
    source: Ask | SavedPlan = Ask(partners, servers, options.acceptances(accepted))
    saved = [path for path in paths if _is_saved(path)]
    expected = _expected(digest, saved)
    if saved:
        if len(paths) > 1 or source != Ask():
            raise WrongUse.of("MBX611")
        context = terminal.context((), None, settings_file, database_url)
        source = read_plan(saved[0], context.plan_key(), expected)
    else:
        context = terminal.context(paths, root, settings_file, database_url)
    verification = None
    if level:
        verification = Verification(Level[level.upper()], deactivate=on_failure == "deactivate")
    outcome = apply(
        context,
        source,
        _Dialogue(full=full, auto_approve=auto_approve),
        verification=verification,
        lock_timeout=lock_timeout,
    )
    return exit_code(outcome.plan, detailed=False) or (TEST_FAILED if outcome.failing else 0)


@dataclass(frozen=True)
class _Dialogue:
    """Tells at the terminal what an apply does, and asks there."""

    full: bool
    auto_approve: bool
    noticed = staticmethod(notice)
    failed = staticmethod(terminal.show_failure)

    def show(self, plan: Plan, inputs: Inputs | None) -> None:
        show(plan, inputs, full=self.full)

    def warn(self, problems: Sequence[Problem]) -> None:
        terminal.show_problems(problems, terminal.NO_SOURCES)

    def approve(self) -> None:
        terminal.confirm(_("Type yes to apply"), "MBX605", auto_approve=self.auto_approve)

    @contextmanager
    def testing(self, count: int) -> Iterator[Callable[[ProbeResult], None]]:
        text = n_("Testing {count} mail server …", "Testing {count} mail servers …", count)
        terminal.say(f"\n{text}")
        progress = Progress(count, lines=False)
        with report("text", None) as results, progress.telling(results) as tell:
            yield tell

    def applied(self, work: Work, applied: Applied) -> None:
        plan = work.plan
        if applied.created:
            terminal.say(_("The database was new: its tables were created."))
        if applied.answer_lost:
            terminal.note(_("The connection broke while committing; the ledger has the plan."))
        if plan.applicable or applied.sealed or (applied.answer_lost and plan.to_seal):
            words = _("Applied as revision {number}: {counts}.")
            counts = summarise(plan.applicable, applied.sealed)
            terminal.say(words.format(number=applied.revision, counts=done(counts)))
        if work.agreed and applied.revision:
            words = _(
                "Revision {number} has what others changed as the manifests say now: {counts}."
            )
            counts = summarise(work.agreed)
            terminal.say(words.format(number=applied.revision, counts=done(counts)))


def _is_saved(path: Path) -> bool:
    """Whether it is meant as a saved plan: any file that is not named like a manifest."""
    return path.suffix == ".json" or (path.is_file() and path.suffix not in (".yaml", ".yml"))


def _expected(digest: str | None, saved: list[Path]) -> str:
    """What the saved plan's digest must be; empty for any."""
    if digest is None:
        return ""
    if not _DIGEST.fullmatch(digest):
        raise WrongUse.of("MBX653", text=digest)
    if not saved:
        raise WrongUse.of("MBX654")
    return digest.lower()


def read_plan(file: Path, key: PlanKey | None, digest: str) -> SavedPlan:
    """The plan that a file holds; see `plan.file.read`."""
    from reconciler.plan.file.read import read  # noqa: PLC0415 - most runs do without

    if file.exists() and not file.is_file():
        raise Failure.of("MBX523", file=str(file), reason=N_("It is no file."))
    try:
        with file.open("rb") as stream:
            return read(stream, str(file), key, digest)
    except OSError as error:
        raise Failure.of("MBX523", file=str(file), reason=error.strerror or "") from None
