"""The table host_profile."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "host_profile",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("protocol", sa.String(length=4), nullable=False),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("security", sa.String(length=8), nullable=True),
        sa.Column("verify_certificate", sa.Boolean(), nullable=True),
        sa.Column("ca_file", sa.String(length=128), nullable=True),
        sa.Column("timeout", sa.Integer(), nullable=True),
        sa.Column("ehlo_name", sa.String(length=253), nullable=True),
        sa.Column("project", sa.String(length=100), nullable=True),
        sa.Column("file", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(
            ["partner"], ["partner.id"], name=op.f("fk_host_profile_partner"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("partner", "host", "protocol", name=op.f("pk_host_profile")),
        if_not_exists=True,
        **text.BINARY,
    )
