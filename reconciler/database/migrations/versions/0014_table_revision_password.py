"""The table revision_password."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "revision_password",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("server", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision"], ["revision.number"], name=op.f("fk_revision_password_revision")
        ),
        sa.PrimaryKeyConstraint("revision", "partner", "server", name=op.f("pk_revision_password")),
        if_not_exists=True,
        **text.BINARY,
    )
