"""The tables, the identity of the database, and the view that the application reads.

Nothing is released yet, so that this is `tables.py` as it stands; with the first release it becomes
a copy. Every statement can be run again: MariaDB commits each by itself, and a run that was cut off
begins anew.
"""

import uuid

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateIndex, CreateTable

from reconciler.database.tables import metadata

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

BINARY = {"mariadb_default_charset": "utf8mb4", "mariadb_collate": "utf8mb4_nopad_bin"}
"""MariaDB compares text by a language's rules unless told otherwise: `Acme`, `ACME`, `Áçme` and
`Acme ` would be one name. SQLite and PostgreSQL compare the characters as they are. It is said here
alone, since a table that knows it loads all that SQLAlchemy knows of MariaDB.
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    _tables()
    _identity()
    _view()


def _tables() -> None:
    for table in metadata.sorted_tables:
        if op.get_context().dialect.name == "mariadb":
            table.dialect_kwargs.update(BINARY)
        op.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            op.execute(CreateIndex(index, if_not_exists=True))


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
