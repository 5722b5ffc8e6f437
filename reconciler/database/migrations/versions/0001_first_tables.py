"""The first tables, the identity of the database, and the view that the application reads.

Made from `tables.py`. Every statement can be run again: MariaDB commits each by itself, and a run
that was cut off begins anew.
"""

import uuid

import sqlalchemy as sa
from alembic import op

from reconciler.database.migrations import text

COMPANY_MAILBOX = """
 company_mailbox AS
SELECT
    mail_server.partner AS partner,
    company.cnpj AS cnpj,
    company.nickname AS company_nickname,
    mail_server.id AS mail_server_id,
    mail_server.stable_id AS stable_id,
    mail_server.nickname AS nickname,
    mail_server.direction AS direction,
    mail_server.protocol AS protocol,
    mail_server.host AS host,
    mail_server.port AS port,
    mail_server.security AS security,
    mail_server.verify_certificate AS verify_certificate,
    mail_server.ca_file AS ca_file,
    mail_server.timeout AS timeout,
    mail_server.ehlo_name AS ehlo_name,
    mail_server.auth AS auth,
    mail_server.username AS username,
    mail_server.password_reference AS password_reference,
    mail_server.password_sealed AS password_sealed,
    COALESCE(link.sender_name, mail_server.sender_name) AS sender_name,
    mail_server.sender_email AS sender_email,
    mail_server.reply_to AS reply_to,
    mail_server.folder AS folder
FROM link
JOIN mail_server ON mail_server.id = link.mail_server_id
JOIN company ON company.cnpj = link.cnpj
WHERE link.active AND mail_server.active
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    _tables()
    _identity()
    _view()


def _tables() -> None:
    op.create_table(
        "database_identity",
        sa.Column(
            "row", sa.Integer(), server_default=sa.text("1"), autoincrement=False, nullable=False
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_database_identity")),
        if_not_exists=True,
        **text.BINARY,
    )
    op.create_table(
        "drift_report",
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reported_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("project", "partner", "kind", "name", name=op.f("pk_drift_report")),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **text.BINARY,
    )
    op.create_table(
        "partner",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("project", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner")),
        if_not_exists=True,
        **text.BINARY,
    )
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
    op.create_table(
        "unchanged",
        sa.Column("project", sa.String(length=100), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("context", sa.String(length=64), nullable=False),
        sa.Column(
            "files", sa.Text().with_variant(sa.Text(length=16777216), "mariadb"), nullable=False
        ),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("left_alone", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("project", "partner", name=op.f("pk_unchanged")),
        if_not_exists=True,
        **text.BINARY,
    )
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
    op.create_index(
        op.f("ix_revision_project"), "revision", ["project"], unique=False, if_not_exists=True
    )
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
    op.create_index(
        op.f("ix_company_partner"), "company", ["partner"], unique=False, if_not_exists=True
    )
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
    op.create_table(
        "revision_change",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("renamed_from", sa.String(length=63), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["revision"], ["revision.number"], name=op.f("fk_revision_change_revision")
        ),
        sa.PrimaryKeyConstraint("revision", "position", name=op.f("pk_revision_change")),
        sqlite_with_rowid=False,
        if_not_exists=True,
        **text.BINARY,
    )
    op.create_index(
        op.f("ix_revision_change_partner_kind_row_id_name"),
        "revision_change",
        ["partner", "kind", "row_id", "name"],
        unique=False,
        if_not_exists=True,
    )
    op.create_table(
        "revision_password",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("server", sa.String(length=63), nullable=False),
        sa.Column("row_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["revision"], ["revision.number"], name=op.f("fk_revision_password_revision")
        ),
        sa.PrimaryKeyConstraint("revision", "partner", "server", name=op.f("pk_revision_password")),
        if_not_exists=True,
        **text.BINARY,
    )
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
        sqlite_autoincrement=True,
        if_not_exists=True,
        **text.BINARY,
    )
    op.create_index(
        op.f("ix_mail_server_partner_protocol_host_username"),
        "mail_server",
        ["partner", "protocol", "host", "username"],
        unique=False,
        if_not_exists=True,
    )
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
    op.create_index(op.f("ix_link_cnpj"), "link", ["cnpj"], unique=False, if_not_exists=True)
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


def _identity() -> None:
    """The row that tells this database from others, made once."""
    identity = sa.table("database_identity", sa.column("id", sa.String))
    connection = op.get_bind()
    if connection.execute(sa.select(identity.c.id)).first() is None:
        connection.execute(identity.insert().values(id=str(uuid.uuid4())))


def _view() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    op.execute(
        ("CREATE VIEW IF NOT EXISTS" if sqlite else "CREATE OR REPLACE VIEW") + COMPANY_MAILBOX
    )
