"""`test`: real tests of the mailboxes in the database, and the results of shards put together."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine

from reconciler.cli import inputs, options, output, passwords, redacting
from reconciler.cli.apply import read_plan
from reconciler.cli.plan import TEST_FAILED
from reconciler.cli.planning import target_of
from reconciler.cli.progress import Progress
from reconciler.cli.reporting import FORMS, KEPT_SECONDS, Report, report
from reconciler.database import observe
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, status
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _, n_
from reconciler.probes import documents
from reconciler.probes.credentials import Credentials
from reconciler.probes.documents import Document, Shard
from reconciler.probes.results import Level, Outcome, ProbeResult
from reconciler.probes.run import Run
from reconciler.probes.schedule import Prober
from reconciler.probes.select import Selected, Wanted, select_servers
from reconciler.probes.targets import Purpose
from reconciler.secrets.stores.open import Stores
from reconciler.settings import Settings

_FEW = 10
"""Up to so many mail servers, every step of them is shown."""
_LARGEST = 512 * 1024 * 1024
_SHARD = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")
_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+)):([0-9]{1,5})")


def _level(_ctx: click.Context, _option: click.Parameter, text: str) -> Level:
    return Level[text.upper()]


def _shard(_ctx: click.Context, _option: click.Parameter, text: str | None) -> Shard:
    if text is None:
        return Shard()
    match = _SHARD.fullmatch(text)
    if not match or int(match[1]) > int(match[2]):
        raise click.BadParameter(_("Write it as 3/16: the third of sixteen."))
    return Shard(int(match[1]), int(match[2]))


def _sink(
    _ctx: click.Context, _option: click.Parameter, text: str | None
) -> tuple[str, int] | None:
    if text is None:
        return None
    match = _PLACE.fullmatch(text)
    if not match or not 0 < int(match[3]) < 65_536:
        raise click.BadParameter(_("Write it as HOST:PORT."))
    return match[1] or match[2], int(match[3])


def _recipient(_ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", text):
        raise click.BadParameter(_("This is no address."))
    return text


_out = click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Write the results to this file."),
)


@click.group(
    "test",
    invoke_without_command=True,
    short_help=_("Test mailboxes with the real servers."),
    help=_(
        "Test the mail servers in the database: send a message through those that send, open "
        "the folder of those that read.\n\n"
        "Every failure has a code, the server's own words and what to do. Active ones are tested "
        "unless others are asked for; the filters together leave what fits all of them. What was "
        "found is kept, for list and show. The exit code is 6 where any test failed."
    ),
)
@click.option("--partner", "partners", multiple=True, help=_("Only of this partner."))
@click.option(
    "--server",
    "servers",
    multiple=True,
    metavar="PARTNER/ID",
    help=_("Only this mail server, active or not."),
)
@click.option(
    "--cnpj", callback=options.bare, help=_("Only with a link to the company of this CNPJ.")
)
@click.option(
    "--company", default="", help=_("Only with a link to a company that has this in its nickname.")
)
@click.option(
    "--changed-in",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="PLAN",
    help=_("Only what this saved plan changes."),
)
@click.option("--failed-last-time", is_flag=True, help=_("Only those whose last test failed."))
@click.option("--inactive", is_flag=True, help=_("Inactive ones too."))
@click.option(
    "--level",
    type=click.Choice([str(level) for level in Level]),
    default=str(Level.SEND),
    show_default=True,
    callback=_level,
    help=_("How far to go."),
)
@click.option(
    "--to",
    metavar="ADDRESS",
    callback=_recipient,
    help=_("Write to this address, which the settings must allow, in place of the sender."),
)
@click.option(
    "--round-trip",
    is_flag=True,
    help=_("Find each message in an incoming mailbox of the same company."),
)
@click.option(
    "--sink",
    metavar="HOST:PORT",
    callback=_sink,
    help=_("Send all messages there instead, without any login."),
)
@click.option(
    "--shard", metavar="N/COUNT", callback=_shard, help=_("Only this part of the mailboxes.")
)
@click.option(
    "--deadline",
    type=click.FloatRange(1, 604_800),
    metavar="SECONDS",
    help=_("End after this time; what is left is not tested."),
)
@click.option("--steps", is_flag=True, help=_("Show every step of each test."))
@options.settings
@options.database
@options.output_format(*FORMS)
@_out
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    if ctx.invoked_subcommand:
        _require_nothing(ctx)
        return 0
    return _test(**given)


def _require_nothing(ctx: click.Context) -> None:
    """An option before the subcommand would be for another one."""
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(_("Options of merge come after it."))


def _test(
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    cnpj: str | None,
    company: str,
    plan_file: Path | None,
    level: Level,
    to: str | None,
    sink: tuple[str, int] | None,
    shard: Shard,
    deadline: float | None,
    settings_file: Path | None,
    database_url: str | None,
    form: str,
    out: Path | None,
    *,
    failed_last_time: bool,
    inactive: bool,
    round_trip: bool,
    steps: bool,
) -> int:
    settings = inputs.read_settings(settings_file)
    url = inputs.database_url(database_url, settings)
    changed = _changed(plan_file, settings) if plan_file else None
    wanted = Wanted(partners, servers, cnpj, company, changed, failed_last_time, inactive)
    reading = inputs.engine(url, settings, writes=False)
    keeping = inputs.engine(url, settings, writes=True, wait=KEPT_SECONDS)
    hosts = frozenset(settings.probes.not_to_itself)
    purpose = Purpose(level, to, hosts, round_trip)
    selected, known, identity = _selected(reading, settings, wanted, shard)
    with ExitStack() as stack:
        redactor = redacting.begin()
        stores = stack.enter_context(Stores(settings.secrets, os.environ, redactor))
        opener = passwords.opener(settings.secrets, stores, identity)
        credentials = Credentials.of(settings.secrets, stores, known, opener)
        # A message that went to a sink says nothing about the mailbox.
        run = Run(selected, purpose, credentials, reading, None if sink else keeping)
        shown = steps or selected.servers <= _FEW
        found = stack.enter_context(
            report(form, out, shard=shard, steps=shown, hide=redactor.redact)
        )
        progress = Progress(selected.servers, lines=bool(out) or form != "text")
        policy = settings.probes.policy(sink)
        _run(run, Prober(policy, settings.probes.pace()), found, progress, deadline)
    if run.failure:
        raise run.failure
    return TEST_FAILED if found.tally.outcomes[Outcome.FAILED] else 0


def _selected(
    engine: Engine, settings: Settings, wanted: Wanted, shard: Shard
) -> tuple[Selected, set[str], str]:
    """The servers that are meant, all partners of the database, and its id."""
    found = status(engine)
    target_of(found, engine, settings.database_id)
    if found.condition is Condition.NEW:
        output.note(_("The database is new: there is no mail server yet."))
        return Selected(()), set(), ""
    with transaction(engine) as connection:
        selected = select_servers(connection, wanted, shard)
        if not selected.batches:
            output.note(_("No mail server fits."))
        return selected, set(observe.partners(connection)), found.database_id or ""


def _changed(file: Path, settings: Settings) -> frozenset[tuple[str, str]]:
    """The servers that a saved plan changes, with their links, as far as it can be applied."""
    plan = read_plan(file, inputs.plan_key(settings), "")
    return frozenset(
        (change.partner, change.server)
        for part in plan.applicable
        for change in part.changes
        if change.server
    )


def _run(
    run: Run, prober: Prober, found: Report, progress: Progress, deadline: float | None
) -> None:
    """Test everything; whatever ends it, what was found until then is told and kept."""

    def consume(result: ProbeResult) -> None:
        shown = run.finished(result)
        progress.clear()
        found.add(shown)
        progress.add(shown)

    try:
        if not asyncio.run(_in_time(prober.run(run.targets(), consume), deadline)):
            for result in run.untested():
                consume(result)
    except BaseException:
        progress.clear()
        output.note(
            n_(
                "{count} mail server was not finished.",
                "{count} mail servers were not finished.",
                progress.left,
            )
        )
        raise
    finally:
        progress.clear()
        run.keep()


async def _in_time(work: Coroutine[None, None, None], deadline: float | None) -> bool:
    """Whether `work` was done before `deadline` seconds were over."""
    limit = asyncio.timeout(deadline)
    try:
        async with limit:
            await work
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True


@command.command(
    "merge",
    short_help=_("Put the results of shards together."),
    help=_(
        "Put together the results that the shards of one run have written with --format json, "
        "and print them as one. The exit code is 6 where any test failed."
    ),
)
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@options.output_format(*FORMS)
@_out
def merge(files: tuple[Path, ...], form: str, out: Path | None) -> int:
    results = documents.merged((str(file), _document(file)) for file in files)
    with report(form, out, steps=len(results) <= _FEW) as found:
        for result in results:
            found.add(result)
    return TEST_FAILED if found.tally.outcomes[Outcome.FAILED] else 0


def _document(file: Path) -> Document:
    """The results in a file.

    Raises:
        Failure: it cannot be read, or holds something else.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise Failure.of("MBX850", file=str(file))
        document = documents.read(json.loads(file.read_text(encoding="utf-8")), str(file))
    except OSError as error:
        raise Failure.of("MBX856", file=str(file), reason=error.strerror or "") from None
    except (ValueError, RecursionError):
        raise Failure.of("MBX850", file=str(file)) from None
    if not _codes(document) <= MESSAGES.keys():
        raise Failure.of("MBX850", file=str(file))
    return document


def _codes(document: Document) -> set[str]:
    failed = {result.diagnosis.code for result in document.results if result.diagnosis}
    return failed | {warned.code for result in document.results for warned in result.warnings}
