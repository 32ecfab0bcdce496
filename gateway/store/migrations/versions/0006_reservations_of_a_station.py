"""Of a station's reservations only the live ones have an index: of those that are over it has ever more.

Revision ID: 0006
Revises: 0005
"""

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LIVE = text("state IN ('ACTIVE', 'PENDING', 'UNKNOWN')")


def upgrade() -> None:
    # For a day 0005 did this as well.
    op.create_index(
        "reservation_live_station",
        "reservation",
        ["station"],
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
        if_not_exists=True,
    )
    op.drop_index("ix_reservation_station", table_name="reservation", if_exists=True)


def downgrade() -> None:
    op.create_index("ix_reservation_station", "reservation", ["station"], unique=False)
    op.drop_index("reservation_live_station", table_name="reservation")
