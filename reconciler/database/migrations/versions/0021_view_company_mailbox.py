"""The view that the invoicing application reads."""

from alembic import op

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

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    op.execute(
        ("CREATE VIEW IF NOT EXISTS" if sqlite else "CREATE OR REPLACE VIEW") + COMPANY_MAILBOX
    )
