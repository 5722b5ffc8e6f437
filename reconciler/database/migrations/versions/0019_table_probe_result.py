"""The table probe_result."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "probe_result",
        sa.Column("mail_server_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("level", sa.String(length=7), nullable=False),
        sa.Column("code", sa.String(length=6), nullable=True),
        sa.Column("step", sa.String(length=10), nullable=True),
        sa.Column("line", sa.String(length=400), nullable=True),
        sa.Column("tried_at", sa.DateTime(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_server_id"],
            ["mail_server.id"],
            name=op.f("fk_probe_result_mail_server_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("mail_server_id", name=op.f("pk_probe_result")),
        if_not_exists=True,
        **text.BINARY,
    )
