"""The table mail_server."""

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "mail_server",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("stable_id", sa.String(length=63), nullable=True),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("protocol", sa.String(length=4), nullable=False),
        sa.Column("nickname", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("security", sa.String(length=8), nullable=True),
        sa.Column("verify_certificate", sa.Boolean(), nullable=True),
        sa.Column("ca_file", sa.String(length=128), nullable=True),
        sa.Column("timeout", sa.Integer(), nullable=True),
        sa.Column("ehlo_name", sa.String(length=253), nullable=True),
        sa.Column("origins", sa.String(length=100), nullable=True),
        sa.Column("auth", sa.String(length=8), server_default="password", nullable=False),
        sa.Column("username", sa.String(length=200), nullable=True),
        sa.Column("password_reference", sa.String(length=300), nullable=True),
        sa.Column(
            "password_sealed",
            sa.Text().with_variant(sa.Text(length=16777216), "mariadb"),
            nullable=True,
        ),
        sa.Column("password_fingerprint", sa.String(length=48), nullable=True),
        sa.Column("password_version", sa.String(length=64), nullable=True),
        sa.Column("sender_name", sa.String(length=200), nullable=True),
        sa.Column("sender_email", sa.String(length=254), nullable=True),
        sa.Column("reply_to", sa.String(length=254), nullable=True),
        sa.Column("folder", sa.String(length=200), nullable=True),
        sa.Column("company", sa.String(length=14), nullable=True),
        sa.Column("importable", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("ignore_changes", sa.String(length=300), server_default="", nullable=False),
        sa.Column("project", sa.String(length=100), nullable=True),
        sa.Column("file", sa.String(length=1000), nullable=True),
        sa.ForeignKeyConstraint(["company"], ["company.cnpj"], name=op.f("fk_mail_server_company")),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"], name=op.f("fk_mail_server_partner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_server")),
        sa.UniqueConstraint("partner", "stable_id", name=op.f("uq_mail_server_partner_stable_id")),
        if_not_exists=True,
        **text.BINARY,
    )
