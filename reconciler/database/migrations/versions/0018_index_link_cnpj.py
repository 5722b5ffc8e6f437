"""The index ix_link_cnpj."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_index(op.f("ix_link_cnpj"), "link", ["cnpj"], unique=False, if_not_exists=True)
