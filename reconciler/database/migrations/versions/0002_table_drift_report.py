"""The table drift_report."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "drift_report",
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reported_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("project", "partner", "kind", "name", name=op.f("pk_drift_report")),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **text.BINARY,
    )
