"""The table partner."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "partner",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner")),
        if_not_exists=True,
        **text.BINARY,
    )
