"""Many rows at a time: statements are built by SQLAlchemy and run by the driver's own cursor.

Its result and parameter handling would cost more than the database does; the columns read and
written here are plain texts, numbers and flags, which every driver passes as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase

from reconciler.database.dialects import dialect_for

_BATCH = 5000


def fetch(connection: Connection, statement: Select[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query as plain tuples."""
    return chain.from_iterable(_fetched(connection, statement))


def among(
    connection: Connection, column: ColumnElement[str], values: Sequence[str]
) -> ColumnElement[bool]:
    """That a column has one of these texts, of which there may be hundreds."""
    return dialect_for(connection.engine).among(column, values)


def _fetched(connection: Connection, statement: Select[Any]) -> Iterator[list[tuple[Any, ...]]]:
    compiled = statement.compile(
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    text = str(compiled)
    with _cursor(connection, text) as cursor:
        cursor.execute(text, _parameters(compiled, compiled.params))
        while rows := cursor.fetchmany(_BATCH):
            yield rows


def load(
    connection: Connection, table: Table, names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows, whose values are those of the columns `names`, the fastest way there is."""
    remaining = iter(rows)
    first = list(islice(remaining, 1))
    if not first:
        return
    everything = chain(first, remaining)
    with _cursor(connection, f"COPY {table.name}") as cursor:
        copied = dialect_for(connection.engine).copy(cursor, table.name, names, everything)
    if not copied:
        statement = insert(table).values({name: bindparam(name) for name in names})
        execute(connection, statement, names, everything)


def execute(
    connection: Connection,
    statement: UpdateBase,
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> tuple[int, int]:
    """Run a statement once for every row, whose values are those of the parameters `names`.

    Returns how many rows of the database it touched, and how many it was given.
    """
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
    values: Iterable[Any] = rows
    if not compiled.positional:
        values = (dict(zip(names, row, strict=True)) for row in rows)
    elif compiled.positiontup and (order := [*map(names.index, compiled.positiontup)]) != [
        *range(len(names))
    ]:
        values = (tuple(row[position] for position in order) for row in rows)
    text, touched, count, remaining = str(compiled), 0, 0, iter(values)
    with _cursor(connection, text) as cursor:
        while batch := list(islice(remaining, _BATCH)):
            cursor.executemany(text, batch)
            touched += max(cursor.rowcount, 0)
            count += len(batch)
    return touched, count


@contextmanager
def _cursor(connection: Connection, statement: str) -> Iterator[Any]:
    """The driver's cursor; its errors come out as SQLAlchemy's, without any values."""
    dbapi_error = connection.dialect.loaded_dbapi.Error
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except dbapi_error as error:
        lost = connection.dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            dbapi_error,
            connection_invalidated=lost,
            dialect=connection.dialect,
        ) from None
    finally:
        cursor.close()


def _parameters(compiled: Any, values: Any) -> Any:
    return tuple(values[name] for name in compiled.positiontup) if compiled.positional else values
