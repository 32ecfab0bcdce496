"""Two indexes of reservations that no query needs, and that every reservation wrote several times.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_reservation_state", table_name="reservation")
    op.drop_index("ix_reservation_id_token", table_name="reservation")


def downgrade() -> None:
    op.create_index("ix_reservation_state", "reservation", ["state"], unique=False)
    op.create_index("ix_reservation_id_token", "reservation", ["id_token"], unique=False)
