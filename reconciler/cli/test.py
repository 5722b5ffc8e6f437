"""`test`: real tests of the mailboxes in the database, and the results of shards put together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.cli.apply import read_plan
from reconciler.cli.plan import TEST_FAILED
from reconciler.cli.reporting import FORMS, Progress, report
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _, n_
from reconciler.operations.test import Tests, changed_servers, test
from reconciler.probes import shards
from reconciler.probes.results import Hide, Level, ProbeOutcome
from reconciler.probes.schedule import Consumer
from reconciler.probes.select import MailboxFilter
from reconciler.probes.shards import Shard, ShardResults
from reconciler.render.messages import MESSAGES

_SHARD = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")
_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+)):([0-9]{1,5})")
_FEW = 10
"""Up to so many mail servers, every step of them is shown."""
_LARGEST = 512 * 1024 * 1024


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


@click.group(
    "test",
    invoke_without_command=True,
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
@options.results_out
@click.pass_context
def command(
    ctx: click.Context,
    partners: tuple[str, ...],
    servers: tuple[str, ...],
    cnpj: str | None,
    company: str,
    plan_file: Path | None,
    level: str,
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
    if ctx.invoked_subcommand:
        if click.core.ParameterSource.COMMANDLINE in map(ctx.get_parameter_source, ctx.params):
            raise click.UsageError(_("Options of merge come after it."))
        return 0
    context = terminal.context((), None, settings_file, database_url)
    changed = None
    if plan_file:
        changed = changed_servers(read_plan(plan_file, context.plan_key(), "").plan)
    mailboxes = MailboxFilter(partners, servers, cnpj, company, changed, failed_last_time, inactive)
    audience = _Audience(form, out, shard, steps=steps)
    reach = Level[level.upper()]
    test(context, Tests(mailboxes, reach, to, sink, shard, round_trip, deadline), audience)
    return TEST_FAILED if audience.failed else 0


class _Audience:
    """Shows results at the terminal or writes them to a file, and shows progress."""

    def __init__(self, form: str, out: Path | None, shard: Shard, *, steps: bool) -> None:
        self._form = form
        self._out = out
        self._shard = shard
        self._steps = steps
        self.failed = 0

    def nothing(self, *, new: bool) -> None:
        text = _("The database is new: there is no mail server yet.")
        terminal.note(text if new else _("No mail server fits."))

    @contextmanager
    def testing(self, servers: int, hide: Hide) -> Iterator[Consumer]:
        steps = self._steps or servers <= _FEW
        lines = bool(self._out) or self._form != "text"
        progress = Progress(servers, lines=lines)
        with report(self._form, self._out, shard=self._shard, steps=steps, hide=hide) as results:
            try:
                with progress.telling(results) as tell:
                    yield tell
            except BaseException:
                terminal.note(
                    n_(
                        "{count} mail server was not finished.",
                        "{count} mail servers were not finished.",
                        progress.left,
                    )
                )
                raise
            finally:
                self.failed = results.tally.outcomes[ProbeOutcome.FAILED]


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
@options.results_out
def _merge(files: tuple[Path, ...], form: str, out: Path | None) -> int:
    results = shards.merged((str(file), _document(file)) for file in files)
    with report(form, out, steps=len(results) <= _FEW) as told:
        for result in results:
            told.add(result)
    return TEST_FAILED if told.tally.outcomes[ProbeOutcome.FAILED] else 0


def _document(file: Path) -> ShardResults:
    """The results in a file; raises `Failure` where it cannot be read, or holds something else."""
    try:
        if file.stat().st_size > _LARGEST:
            raise Failure.of("MBX850", file=str(file))
        document = shards.read(json.loads(file.read_text(encoding="utf-8")), str(file))
    except OSError as error:
        raise Failure.of("MBX856", file=str(file), reason=error.strerror or "") from None
    except (ValueError, RecursionError):
        raise Failure.of("MBX850", file=str(file)) from None
    codes = {result.diagnosis.code for result in document.results if result.diagnosis}
    codes |= {warning.code for result in document.results for warning in result.warnings}
    if not codes <= MESSAGES.keys():
        raise Failure.of("MBX850", file=str(file))
    return document
