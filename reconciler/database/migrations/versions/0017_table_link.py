"""The table link."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "link",
        sa.Column("mail_server_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cnpj", sa.String(length=14), nullable=False),
        sa.Column("sender_name", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=True),
        sa.Column("file", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(["cnpj"], ["company.cnpj"], name=op.f("fk_link_cnpj")),
        sa.ForeignKeyConstraint(
            ["mail_server_id"],
            ["mail_server.id"],
            name=op.f("fk_link_mail_server_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("mail_server_id", "cnpj", name=op.f("pk_link")),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **text.BINARY,
    )
