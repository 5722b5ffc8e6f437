"""`db`: the schema of a database, inspected and brought up to date."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.database import schema
from reconciler.database.engine import transaction
from reconciler.database.schema import Condition, Status
from reconciler.operations.context import Context


class Upgrade(NamedTuple):
    """The schema of a database, before and after."""

    before: Status
    after: Status


def upgrade(context: Context, *, lock_timeout: float) -> Upgrade:
    """Create the tables, or bring them up to date; `lock_timeout` is in seconds.

    Raises:
        Failure: the database has a schema that only a newer version knows.
    """
    engine = context.engine(writes=True, wait=lock_timeout)
    with transaction(engine) as connection:
        schema.lock(connection)
        before = schema.status_of(connection)
        if before.condition is Condition.NEWER:
            schema.require(before)
        if before.condition is not Condition.CURRENT:
            schema.upgrade(connection)
        return Upgrade(before, schema.status_of(connection))
