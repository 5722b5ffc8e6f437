"""The table revision_change."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "revision_change",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("renamed_from", sa.String(length=63), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["revision"], ["revision.number"], name=op.f("fk_revision_change_revision")
        ),
        sa.PrimaryKeyConstraint("revision", "position", name=op.f("pk_revision_change")),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **text.BINARY,
    )
