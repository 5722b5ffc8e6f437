"""The index ix_revision_project."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index(
        op.f("ix_revision_project"), "revision", ["project"], unique=False, if_not_exists=True
    )
