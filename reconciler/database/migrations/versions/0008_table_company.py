"""The table company."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "company",
        sa.Column("cnpj", sa.String(length=14), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("nickname", sa.String(length=200), nullable=False),
        sa.Column("notification_email", sa.String(length=254), nullable=True),
        sa.Column("extensions", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("own_mailboxes", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("head_office", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=True),
        sa.Column("file", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"], name=op.f("fk_company_partner")),
        sa.PrimaryKeyConstraint("cnpj", name=op.f("pk_company")),
        if_not_exists=True,
        **text.BINARY,
    )
