"""The table revision."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "revision",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.String(length=36), nullable=False),
        sa.Column("applied_at", sa.DateTime(), nullable=False),
        sa.Column("applied_by", sa.String(length=200), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("commit_id", sa.String(length=64), nullable=True),
        sa.Column("rolls_back", sa.Integer(), nullable=True),
        sa.Column("tool_version", sa.String(length=32), nullable=False),
        sa.Column("manifest_digest", sa.String(length=80), nullable=False),
        sa.Column(
            "selection", sa.Text().with_variant(sa.Text(length=16777216), "mariadb"), nullable=False
        ),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revision")),
        sa.UniqueConstraint("plan_id", name=op.f("uq_revision_plan_id")),
        if_not_exists=True,
        **text.BINARY,
    )
