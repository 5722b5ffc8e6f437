"""The index ix_link_cnpj."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_index(op.f("ix_link_cnpj"), "link", ["cnpj"], unique=False, if_not_exists=True)
