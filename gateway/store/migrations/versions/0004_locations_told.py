"""Locations told: what partners see of EVSEs and when it changed, which partners see what, pushes to several"""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import Utc
from ocpi.types import fold

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LOCATION = sa.table("location", sa.column("id"), sa.column("body", sa.JSON()), sa.column("last_updated", Utc()))
_EVSE = sa.table(
    "evse",
    *(sa.column(name) for name in ("id", "location", "evse_key", "status", "imported_status", "told_status")),
    *(sa.column(name, sa.JSON()) for name in ("capabilities", "offered")),
    *(sa.column(name, Utc()) for name in ("status_at", "last_updated")),
)
_DECIDED, _UNKNOWN = ("PLANNED", "REMOVED"), "UNKNOWN"
#: PostgreSQL gave it; SQLite's constraints have no names, so there the table is told what the new one is called.
_OLD_PUSH_KEY = "push_module_object_key"


def upgrade() -> None:
    op.create_table(
        "location_news",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("location", _BIG, nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(["location"], ["location.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "partner_sight",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("partner", _BIG, nullable=False),
        sa.Column("cpo", _BIG, nullable=False),
        sa.Column("location", _BIG, nullable=True),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"]),
        sa.ForeignKeyConstraint(["cpo"], ["cpo.id"]),
        sa.ForeignKeyConstraint(["location"], ["location.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("partner", "cpo", "location"),
    )
    with op.batch_alter_table("partner", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sees_all", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("station", schema=None) as batch_op:
        batch_op.add_column(sa.Column("offline_at", Utc(), nullable=True))
    gone = sa.text("offline_at IS NOT NULL")
    op.create_index("station_fading", "station", ["offline_at"], sqlite_where=gone, postgresql_where=gone)
    _of_evses()
    with op.batch_alter_table("client_info", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_at", Utc(), nullable=True))
        batch_op.add_column(sa.Column("heard_at", Utc(), nullable=True))
    op.execute("UPDATE client_info SET told_at = last_updated")
    with op.batch_alter_table("client_info", schema=None) as batch_op:
        batch_op.alter_column("told_at", nullable=False)
    naming = {"uq": "%(table_name)s_%(column_0_name)s_%(column_1_name)s_key"}
    with op.batch_alter_table("push", schema=None, naming_convention=naming) as batch_op:
        batch_op.drop_constraint(_OLD_PUSH_KEY, type_="unique")
        batch_op.create_unique_constraint("push_module_object_partner_key", ["module", "object", "partner"])


def _of_evses() -> None:
    """What was shown until now is what stations told, or what was imported."""
    with op.batch_alter_table("evse", schema=None) as batch_op:
        batch_op.add_column(sa.Column("offered", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("imported_status", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("told_status", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("last_updated", Utc(), nullable=True))
    db = op.get_bind()
    db.execute(_EVSE.update().values(offered=_EVSE.c.capabilities))
    imported = {
        (row["id"], fold(one["uid"])): one["status"]
        for row in db.execute(sa.select(_LOCATION)).mappings()
        for one in row["body"].get("evses") or []
    }
    updated = {row["id"]: row["last_updated"] for row in db.execute(sa.select(_LOCATION)).mappings()}
    for row in db.execute(sa.select(_EVSE)).mappings().all():
        decided = row["status"] in _DECIDED
        told = row["status"] if row["status_at"] is not None and not decided else None
        values = {
            "imported_status": row["status"]
            if decided
            else imported.get((row["location"], row["evse_key"]), "UNKNOWN"),
            "told_status": told,
            "last_updated": max(updated[row["location"]], row["status_at"] or updated[row["location"]]),
        }
        db.execute(_EVSE.update().where(_EVSE.c.id == row["id"]).values(**values))
    with op.batch_alter_table("evse", schema=None) as batch_op:
        for name in ("offered", "imported_status", "last_updated"):
            batch_op.alter_column(name, nullable=False)


def downgrade() -> None:
    raise NotImplementedError("pushes of one object to several have no place in the older table: restore a backup")
