"""The table database_identity."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "database_identity",
        sa.Column(
            "row", sa.Integer(), server_default=sa.text("1"), autoincrement=False, nullable=False
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_database_identity")),
        if_not_exists=True,
        **text.BINARY,
    )
