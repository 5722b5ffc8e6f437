"""Facts about unchanged partners in the database, and the digests of rows that they are about.

A digest is over all rows of a partner that `observed` reads, as the driver gives them: no time, no
trigger and no counter that a writer could leave as it is. Rows of which no digest can be taken, and
facts that cannot be read, only mean that nothing is known.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import IntegrityError

from reconciler.database import bulk, observe
from reconciler.database.observe import Rows
from reconciler.database.tables import unchanged as table
from reconciler.database.write import column_value
from reconciler.model.state import State
from reconciler.model.unchanged import Files, Unchanged

_FORM = 2
"""The form of `marshal` that depends on nothing but the values."""
_IN = 500
_COLUMNS = (
    "project",
    "partner",
    "context",
    "files",
    "unchanged",
    "left_alone",
    "skipped",
    "digest",
)


def holding(connection: Connection, facts: Iterable[Unchanged]) -> list[Unchanged]:
    """Those of `facts` that hold of the rows which the database has now."""
    by_name = {fact.partner: fact for fact in facts}
    return [
        by_name[name]
        for name, rows in observe.rows(connection, sorted(by_name))
        if holds(by_name[name], rows)
    ]


def holds(fact: Unchanged, rows: Rows) -> bool:
    """Whether a fact is of these rows."""
    return fact.is_of(digest(rows) or "")


def digest(rows: Rows) -> str | None:
    """A digest that two partners' rows share only if they mean the same; None for strange ones.

    Left out are the numbers of servers, which say nothing: links have the names.
    """
    servers = [row[:-1] for row in rows.servers]
    try:
        links = [(name, sorted(of_server)) for name, of_server in rows.links.items()]
        kinds = (rows.partners, rows.companies, rows.hosts, servers, links)
        form = marshal.dumps([sorted(kind) for kind in kinds], _FORM)
    except (TypeError, ValueError):  # SQLite lets bytes stand among texts, which have no order
        return None
    return hashlib.sha256(form).hexdigest()


def rows_of(partner: str, state: State, flag: Callable[[bool], Any]) -> Rows:
    """The rows that a state is written as, and read as again; `flag` is how the driver has it."""
    heads = {cnpj for row in state.head_offices.values() for cnpj in row.cnpj.split()}

    def stored(row: Iterable[Any]) -> tuple[Any, ...]:
        return tuple([flag(item) if type(item) is bool else column_value(item) for item in row])

    link = cache(stored)  # servers of a partner mostly have the same ones
    return Rows(
        [tuple(state.partner)] if state.partner else [],
        [(partner, *stored(row), flag(cnpj in heads)) for cnpj, row in state.companies.items()],
        [(partner, *stored(row)) for row in state.hosts.values()],
        [(partner, *stored(row), 0) for row in state.servers.values()],
        {name: [*map(link, rows)] for name, rows in state.links.items()},
    )


def read(connection: Connection, project: str) -> Iterator[Unchanged]:
    """All facts of a project."""
    columns = [table.c[name] for name in _COLUMNS[1:]]
    query = select(*columns).where(table.c.project == project)
    for partner, context, files, *rest in bulk.fetch(connection, query):
        yield Unchanged(partner, context, _files(str(files)), *rest)


def write(connection: Connection, project: str, facts: Sequence[Unchanged]) -> None:
    """Keep facts in place of the partners' earlier ones, unless somebody else just did."""
    rows = [(project, *fact[:2], _text(fact.files), *fact[3:]) for fact in facts]
    try:
        with connection.begin_nested():
            for start in range(0, len(facts), _IN):
                partners = [fact.partner for fact in facts[start : start + _IN]]
                ours = (table.c.project == project, table.c.partner.in_(partners))
                connection.execute(delete(table).where(*ours))
            bulk.load(connection, table, _COLUMNS, rows)
    except IntegrityError:
        return


def _text(files: Files) -> str:
    """As `sha256sum` writes it."""
    return "".join(f"{sha}  {name}\n" for name, sha in files)


def _files(text: str) -> Files:
    lines = (line.partition("  ") for line in text.split("\n") if line)
    return tuple((name, sha) for sha, _, name in lines)
