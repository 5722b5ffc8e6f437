"""The identity of this database, a row that is made once."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    identity = sa.table("database_identity", sa.column("id", sa.String))
    connection = op.get_bind()
    if connection.execute(sa.select(identity.c.id)).first() is None:
        connection.execute(identity.insert().values(id=str(uuid.uuid4())))
