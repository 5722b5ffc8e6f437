"""The tables, as the newest migration leaves them.

Columns that a row of `model` has are called as its fields are. A row belongs to the tool where
`project` is not null; `file` is the manifest that declared it, relative to the root.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

SCHEMA_REVISION = "0001"
"""The migration that this version of the tool works with."""

LONG_TEXT = Text().with_variant(Text(1 << 24), "mariadb")
"""Text of any length: MariaDB's own TEXT ends at 64 KiB."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

FALSE, TRUE = text("(false)"), text("(true)")


def _table(name: str, *parts: SchemaItem, **options: Any) -> Table:
    return Table(name, metadata, *parts, **options)


def _owner() -> tuple[Column[str], Column[str]]:
    return (Column("project", String(100)), Column("file", String(1000)))


def _key(name: str, target: str) -> Column[str]:
    return Column(name, String(63), ForeignKey(target, ondelete="RESTRICT"), primary_key=True)


database_identity = _table(
    "database_identity",
    Column("row", Integer, primary_key=True, autoincrement=False, server_default=text("1")),
    Column("id", String(36), nullable=False),
)

partner_lock = _table(
    "partner_lock",
    Column("partner", String(63), primary_key=True),
    Column("serial", Integer, nullable=False),
    Column("holder", String(36)),
    Column("who", String(200)),
    Column("place", String(200)),
    Column("since", String(19)),
    Column("until", String(19)),
)

partner = _table(
    "partner", Column("id", String(63), primary_key=True), Column("project", String(100))
)

company = _table(
    "company",
    Column("cnpj", String(14), primary_key=True),
    Column("partner", String(63), ForeignKey("partner.id"), nullable=False, index=True),
    Column("nickname", String(200), nullable=False),
    Column("notification_email", String(254)),
    Column("extensions", String(1000), nullable=False, server_default=""),
    Column("own_mailboxes", Boolean, nullable=False, server_default=FALSE),
    Column("head_office", Boolean, nullable=False, server_default=FALSE),
    *_owner(),
)

host_profile = _table(
    "host_profile",
    _key("partner", "partner.id"),
    Column("host", String(253), primary_key=True),
    Column("protocol", String(4), primary_key=True),
    Column("port", Integer),
    Column("security", String(8)),
    Column("verify_certificate", Boolean),
    Column("ca_file", String(128)),
    Column("timeout", Integer),
    Column("ehlo_name", String(253)),
    *_owner(),
)

mail_server = _table(
    "mail_server",
    Column("id", Integer, primary_key=True),
    Column("partner", String(63), ForeignKey("partner.id"), nullable=False),
    Column("stable_id", String(63)),
    Column("direction", String(8), nullable=False),
    Column("protocol", String(4), nullable=False),
    Column("nickname", String(200), nullable=False),
    Column("active", Boolean, nullable=False, server_default=TRUE),
    Column("host", String(253), nullable=False),
    Column("port", Integer),
    Column("security", String(8)),
    Column("verify_certificate", Boolean),
    Column("ca_file", String(128)),
    Column("timeout", Integer),
    Column("ehlo_name", String(253)),
    Column("origins", String(100)),
    Column("auth", String(8), nullable=False, server_default="password"),
    Column("username", String(200)),
    Column("password_reference", String(300)),
    Column("password_sealed", LONG_TEXT),
    Column("password_fingerprint", String(48)),
    Column("password_version", String(64)),
    Column("sender_name", String(200)),
    Column("sender_email", String(254)),
    Column("reply_to", String(254)),
    Column("folder", String(200)),
    Column("company", String(14), ForeignKey("company.cnpj")),
    Column("importable", Boolean, nullable=False, server_default=TRUE),
    Column("ignore_changes", String(300), nullable=False, server_default=""),
    *_owner(),
    UniqueConstraint("partner", "stable_id"),
    Index(None, "partner", "protocol", "host", "username"),
    sqlite_autoincrement=True,  # the ledger knows a server by its number, also when it is gone
)

link = _table(
    "link",
    Column(
        "mail_server_id",
        Integer,
        ForeignKey("mail_server.id", ondelete="RESTRICT"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("cnpj", String(14), ForeignKey("company.cnpj"), primary_key=True),
    Column("sender_name", String(200)),
    Column("active", Boolean, nullable=False, server_default=TRUE),
    *_owner(),
    Index(None, "cnpj"),
    sqlite_with_rowid=False,
)

revision = _table(
    "revision",
    Column("number", Integer, primary_key=True),
    Column("plan_id", String(36), nullable=False, unique=True),
    Column("applied_at", DateTime, nullable=False),
    Column("applied_by", String(200), nullable=False),
    Column("project", String(100), nullable=False, index=True),
    Column("commit_id", String(64)),
    Column("rolls_back", Integer),
    Column("tool_version", String(32), nullable=False),
    Column("manifest_digest", String(80), nullable=False),
    Column("selection", LONG_TEXT, nullable=False),
    Column("summary", Text, nullable=False),
)

unchanged = _table(
    "unchanged",
    Column("project", String(100), primary_key=True),
    Column("partner", String(63), primary_key=True),
    Column("context", String(64), nullable=False),
    Column("files", LONG_TEXT, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("left_alone", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
)

revision_change = _table(
    "revision_change",
    Column("revision", Integer, ForeignKey("revision.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("partner", String(63), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("row_id", Integer),
    Column("name", String(400), nullable=False),
    Column("action", String(16), nullable=False),
    Column("renamed_from", String(63)),
    Column("before", Text),
    Column("after", Text),
    Index(None, "partner", "kind", "row_id", "name"),
    sqlite_with_rowid=False,
)

revision_password = _table(
    "revision_password",
    Column("revision", Integer, ForeignKey("revision.number"), primary_key=True),
    Column("partner", String(63), primary_key=True),
    Column("server", String(63), primary_key=True),
    Column("row_id", Integer, nullable=False),
)

revision_acceptance = _table(
    "revision_acceptance",
    Column("revision", Integer, ForeignKey("revision.number"), primary_key=True),
    Column("partner", String(63), primary_key=True),
    Column("guard", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("until", String(10), nullable=False),
    ForeignKeyConstraint(["partner"], ["partner.id"]),
)

drift_report = _table(
    "drift_report",
    Column("project", String(100), primary_key=True),
    Column("partner", String(63), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(400), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("reported_at", DateTime, nullable=False),
    sqlite_with_rowid=False,
)

probe_result = _table(
    "probe_result",
    Column(
        "mail_server_id",
        Integer,
        ForeignKey("mail_server.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("verdict", String(10), nullable=False),
    Column("level", String(7), nullable=False),
    Column("code", String(6)),
    Column("step", String(10)),
    Column("line", String(400)),
    Column("tried_at", DateTime, nullable=False),
    Column("since", DateTime, nullable=False),
)
