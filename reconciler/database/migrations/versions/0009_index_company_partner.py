"""The index ix_company_partner."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index(
        op.f("ix_company_partner"), "company", ["partner"], unique=False, if_not_exists=True
    )
