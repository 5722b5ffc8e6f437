"""The index ix_mail_server_partner_protocol_host_username."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_index(
        op.f("ix_mail_server_partner_protocol_host_username"),
        "mail_server",
        ["partner", "protocol", "host", "username"],
        unique=False,
        if_not_exists=True,
    )
