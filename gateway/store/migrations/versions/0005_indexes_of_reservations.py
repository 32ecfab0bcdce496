"""Indexes of reservations: of a station only those that are live; two that no query needs are no more.

Revision ID: 0005
Revises: 0004
"""

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LIVE = text("state IN ('ACTIVE', 'PENDING', 'UNKNOWN')")


def upgrade() -> None:
    op.create_index("reservation_live_station", "reservation", ["station"], sqlite_where=_LIVE, postgresql_where=_LIVE)
    for column in ("station", "state", "id_token"):
        op.drop_index(f"ix_reservation_{column}", table_name="reservation")


def downgrade() -> None:
    for column in ("station", "state", "id_token"):
        op.create_index(f"ix_reservation_{column}", "reservation", [column], unique=False)
    op.drop_index("reservation_live_station", table_name="reservation")
