"""`db`: create, upgrade and inspect the database."""

from __future__ import annotations

import click

from reconciler.cli import options, terminal
from reconciler.database import schema, tables
from reconciler.database.engine import shown_url
from reconciler.database.schema import Condition
from reconciler.diagnostics.words import N_, _
from reconciler.operations import db
from reconciler.operations.context import Context

_CONDITIONS = {
    Condition.NEW: N_("new: none of the tables is there; apply and db upgrade create them"),
    Condition.CURRENT: N_("up to date"),
    Condition.OLDER: N_("older than this version of the tool: run db upgrade"),
    Condition.NEWER: N_("newer than this version of the tool: update the tool"),
}


@click.group("db", help=_("Create, upgrade and inspect the database."))
def command() -> None:
    return


@command.command(
    "upgrade",
    short_help=_("Create the tables, or bring them up to date."),
    help=_("Create the tables, or bring them up to date. Nothing happens where they are."),
)
@options.context()
@options.lock_timeout
def upgrade(context: Context, lock_timeout: float) -> int:
    before, after = db.upgrade(context, lock_timeout=lock_timeout)
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
@options.context()
@options.output_format("text", "json")
def status(context: Context, form: str) -> int:
    engine = context.engine(writes=False)
    current = schema.status(engine)
    if form == "json":
        terminal.say_json(
            {
                "condition": current.condition.value,
                "schema_revision": current.revision,
                "wanted_revision": tables.SCHEMA_REVISION,
                "database_id": current.database_id,
                "dialect": engine.dialect.name,
            }
        )
    else:
        terminal.say(
            [
                _("database: {url}").format(url=shown_url(engine.url)),
                _("id: {id}").format(id=current.database_id or "–"),
                _("schema: {revision} ({condition})").format(
                    revision=current.revision or "–", condition=_(_CONDITIONS[current.condition])
                ),
            ]
        )
    return 0 if current.condition in (Condition.CURRENT, Condition.NEW) else 1
