"""The table revision_acceptance."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "revision_acceptance",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("guard", sa.String(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("until", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner"], ["partner.id"], name=op.f("fk_revision_acceptance_partner")
        ),
        sa.ForeignKeyConstraint(
            ["revision"], ["revision.number"], name=op.f("fk_revision_acceptance_revision")
        ),
        sa.PrimaryKeyConstraint(
            "revision", "partner", "guard", name=op.f("pk_revision_acceptance")
        ),
        if_not_exists=True,
        **text.BINARY,
    )
