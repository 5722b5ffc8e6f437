"""The table proof."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "proof",
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("context", sa.String(length=64), nullable=False),
        sa.Column(
            "files", sa.Text().with_variant(sa.Text(length=16777216), "mariadb"), nullable=False
        ),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("left_alone", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("project", "partner", name=op.f("pk_proof")),
        if_not_exists=True,
        **text.BINARY,
    )
