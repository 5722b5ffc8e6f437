"""`db`: create, upgrade and inspect the database."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.database import schema, tables
from reconciler.database.engine import shown_url, transaction
from reconciler.database.schema import Condition
from reconciler.diagnostics.words import N_, _

_CONDITIONS = {
    Condition.NEW: N_("new: none of the tables is there; apply and db upgrade create them"),
    Condition.CURRENT: N_("up to date"),
    Condition.OLDER: N_("older than this version of the tool: run db upgrade"),
    Condition.NEWER: N_("newer than this version of the tool: update the tool"),
}


@click.group(
    "db",
    help=_("Create, upgrade and inspect the database."),
)
def command() -> None:
    return


@command.command(
    "upgrade",
    short_help=_("Create the tables, or bring them up to date."),
    help=_("Create the tables, or bring them up to date. Nothing happens where they are."),
)
@options.settings
@options.database
@options.lock_timeout
def upgrade(settings_file: Path | None, database_url: str | None, lock_timeout: float) -> int:
    context = terminal.context((), None, settings_file, database_url)
    engine = context.engine(writes=True, wait=lock_timeout)
    with transaction(engine) as connection:
        schema.lock(connection)
        before = schema.status_of(connection)
        if before.condition is Condition.NEWER:
            schema.require(before)
        if before.condition is not Condition.CURRENT:
            schema.upgrade(connection)
        after = schema.status_of(connection)
    terminal.say(
        _("Schema {before} → {after}.").format(
            before=before.revision or _("new"), after=after.revision
        )
    )
    return 0


@command.command(
    "status",
    short_help=_("Show which schema the database has."),
    help=_("Show which schema the database has; exit 1 where this version cannot work with it."),
)
@options.settings
@options.database
@options.output_format("text", "json")
def status(settings_file: Path | None, database_url: str | None, form: str) -> int:
    engine = terminal.context((), None, settings_file, database_url).engine(writes=False)
    found = schema.status(engine)
    if form == "json":
        terminal.say_json(
            {
                "condition": found.condition.value,
                "schema_revision": found.revision,
                "wanted_revision": tables.SCHEMA_REVISION,
                "database_id": found.database_id,
                "dialect": engine.dialect.name,
            }
        )
    else:
        terminal.say(
            [
                _("database: {url}").format(url=shown_url(engine.url)),
                _("id: {id}").format(id=found.database_id or "–"),
                _("schema: {revision} ({condition})").format(
                    revision=found.revision or "–", condition=_(_CONDITIONS[found.condition])
                ),
            ]
        )
    return 0 if found.condition in (Condition.CURRENT, Condition.NEW) else 1
