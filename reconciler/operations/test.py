"""`test`: real tests of the mailboxes in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple, Protocol

from reconciler.database import observe
from reconciler.operations.context import Context
from reconciler.operations.secrets import opener
from reconciler.operations.verify import KEPT_SECONDS
from reconciler.plan.plan import Plan
from reconciler.probes.credentials import Credentials
from reconciler.probes.results import Hide, Level, ProbeResult
from reconciler.probes.run import Purpose, Run
from reconciler.probes.schedule import Consumer, Prober
from reconciler.probes.select import MailboxFilter, select_servers
from reconciler.probes.shards import Shard
from reconciler.secrets.read import Stores


class Tests(NamedTuple):
    """Which mailboxes are tested, and how.

    `to` is whom messages go to in place of the sender, and `sink` the host and port that takes all
    of them without a login. `deadline` is in seconds.
    """

    mailboxes: MailboxFilter
    level: Level
    to: str | None = None
    sink: tuple[str, int] | None = None
    shard: Shard = Shard()
    round_trip: bool = False
    deadline: float | None = None


class Audience(Protocol):
    """Who is told of a run of tests."""

    def nothing(self, *, new: bool) -> None:
        """No mail server is selected; a `new` database has none."""

    def testing(self, servers: int, hide: Hide) -> AbstractContextManager[Consumer]:
        """Tests of so many `servers` begin; each result is passed to what this yields.

        Whatever is written to a file passes through `hide`.
        """


def test(context: Context, tests: Tests, audience: Audience) -> None:
    """Test mailboxes; the results go to the audience, the verdicts to the database. Raises
    `Failure` where that cannot be read, or verdicts could not be written.
    """
    settings = context.settings
    batches, partners, database_id = _selected(context, tests, audience)
    hosts = frozenset(settings.probes.not_to_itself)
    purpose = Purpose(tests.level, tests.to, hosts, tests.round_trip)
    with ExitStack() as stack:
        redactor = context.redacting()
        stores = stack.enter_context(Stores(settings.secrets, context.environ, redactor))
        opened = opener(context, stores, database_id)
        credentials = Credentials(settings.secrets, stores, partners, opened)
        # A message that went to a sink says nothing about the mailbox.
        writing = None if tests.sink else context.engine(writes=True, wait=KEPT_SECONDS)
        run = Run(batches, purpose, credentials, context.engine(writes=False), writing)
        tell = stack.enter_context(audience.testing(sum(map(len, batches)), redactor.redact))
        prober = Prober(settings.probes.policy(tests.sink), settings.probes.pace())

        def consume(result: ProbeResult) -> None:
            tell(run.finished(result))

        try:  # whatever ends it, the results until then are told and written
            if not asyncio.run(_in_time(prober.run(run.targets(), consume), tests.deadline)):
                for result in run.untested():
                    consume(result)
        finally:
            run.keep()
    if run.failure:
        raise run.failure


def _selected(
    context: Context, tests: Tests, audience: Audience
) -> tuple[list[tuple[int, ...]], set[str], str]:
    """The servers asked for, all partners of the database, and its id."""
    with context.reading() as connection:
        if connection is None:
            audience.nothing(new=True)
            return [], set(), ""
        batches = select_servers(connection, tests.mailboxes, tests.shard)
        if not batches:
            audience.nothing(new=False)
        return batches, set(observe.partners(connection)), context.status().database_id or ""


def changed_servers(plan: Plan) -> frozenset[tuple[str, str]]:
    """Partner and id of the servers that a plan changes, or whose links it does, unless refused."""
    return frozenset(
        (change.partner, change.server)
        for part in plan.applicable
        for change in part.changes
        if change.server
    )


async def _in_time(work: Coroutine[None, None, None], deadline: float | None) -> bool:
    """Whether `work` was done within `deadline` seconds."""
    limit = asyncio.timeout(deadline)
    try:
        async with limit:
            await work
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True
