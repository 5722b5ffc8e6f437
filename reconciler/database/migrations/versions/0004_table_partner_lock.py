"""The table partner_lock."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "partner_lock",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=True),
        sa.Column("who", sa.String(length=200), nullable=True),
        sa.Column("place", sa.String(length=200), nullable=True),
        sa.Column("since", sa.String(length=19), nullable=True),
        sa.Column("until", sa.String(length=19), nullable=True),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_partner_lock")),
        if_not_exists=True,
        **text.BINARY,
    )
