"""The index ix_revision_change_partner_kind_name_renamed_from."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_index(
        op.f("ix_revision_change_partner_kind_name_renamed_from"),
        "revision_change",
        ["partner", "kind", "name", "renamed_from"],
        unique=False,
        if_not_exists=True,
    )
