"""Life after ACCEPTED: Sessions before and after the transaction, CDRs, tariffs, tokens, and what partners are told"""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import Exact, Utc

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "partner_endpoint",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("partner", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("identifier", sa.String(length=20), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("url", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["partner.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("partner", "identifier", "role"),
    )
    op.create_table(
        "push",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("partner", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("module", sa.String(length=12), nullable=False),
        sa.Column("object", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("due_at", Utc(), nullable=True),
        sa.Column("held_until", Utc(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=True),
        sa.Column("kept_at", sa.String(length=255), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempted_at", Utc(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("ocpi_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["partner.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("module", "object"),
    )
    with op.batch_alter_table("push", schema=None) as batch_op:
        batch_op.create_index(
            "push_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "tariff",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("cpo", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tariff_id", sa.String(length=36), nullable=False),
        sa.Column("tariff_key", sa.String(length=36), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("last_updated", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cpo"],
            ["cpo.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("cpo", "tariff_key"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("partner", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("uid_key", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("last_updated", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["partner.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("partner", "country_code", "party_id", "uid_key", "type"),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index("token_uid", ["uid_key"], unique=False)

    op.create_table(
        "cdr",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("cdr_id", sa.String(length=39), nullable=False),
        sa.Column("cpo", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partner", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_country", sa.String(length=2), nullable=False),
        sa.Column("from_party", sa.String(length=3), nullable=False),
        sa.Column("session", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("credits", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("last_updated", Utc(), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cpo"],
            ["cpo.id"],
        ),
        sa.ForeignKeyConstraint(
            ["credits"],
            ["cdr.id"],
        ),
        sa.ForeignKeyConstraint(
            ["partner"],
            ["partner.id"],
        ),
        sa.ForeignKeyConstraint(
            ["session"],
            ["session.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("cpo", "cdr_id"),
        sa.UniqueConstraint("credits"),
    )
    with op.batch_alter_table("cdr", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cdr_partner"), ["partner"], unique=False)
        batch_op.create_index(batch_op.f("ix_cdr_session"), ["session"], unique=False)

    op.create_table(
        "transaction_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("session", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("phase", sa.String(length=8), nullable=False),
        sa.Column("at", Utc(), nullable=False),
        sa.Column("trigger", sa.String(length=40), nullable=False),
        sa.Column("charging_state", sa.String(length=20), nullable=False),
        sa.Column("stopped_reason", sa.String(length=30), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("readings", sa.JSON(), nullable=False),
        sa.Column("noted_at", Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"],
            ["session.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("session", "key"),
    )
    with op.batch_alter_table("authorization", schema=None) as batch_op:
        batch_op.add_column(sa.Column("auth_method", sa.String(length=16), nullable=False, server_default="COMMAND"))
        batch_op.add_column(sa.Column("cpo", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
        batch_op.alter_column("command", existing_type=sa.INTEGER(), nullable=True)
        batch_op.create_foreign_key("authorization_cpo_fkey", "cpo", ["cpo"], ["id"])

    with op.batch_alter_table("evse", schema=None) as batch_op:
        batch_op.add_column(sa.Column("status_at", Utc(), nullable=True))

    with op.batch_alter_table("partner", schema=None) as batch_op:
        batch_op.add_column(sa.Column("keep_pushing", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("authorize_unknown", sa.Boolean(), nullable=False, server_default=sa.false()))

    with op.batch_alter_table("station", schema=None) as batch_op:
        batch_op.add_column(sa.Column("clock_ahead", sa.Integer(), nullable=True))

    with op.batch_alter_table("reservation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("confirmed_at", Utc(), nullable=True))
        batch_op.alter_column("partner", existing_type=sa.INTEGER(), nullable=True)

    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("remote_start_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("token_key", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("group_key", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("pending_until", Utc(), nullable=True))
        for name in ("tariff", "cdr_location", "tally"):
            batch_op.add_column(sa.Column(name, sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("time_zone", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("closes_at", Utc(), nullable=True))
        batch_op.add_column(sa.Column("doubted", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("kwh", Exact(), nullable=False, server_default="0"))
        batch_op.alter_column("transaction_id", existing_type=sa.VARCHAR(length=255), nullable=True)
        batch_op.create_index(batch_op.f("ix_session_reservation"), ["reservation"], unique=False)
        batch_op.create_index(
            "session_unfinished",
            ["station"],
            unique=False,
            sqlite_where=sa.text("state IN ('ACTIVE', 'PENDING', 'RESERVATION')"),
            postgresql_where=sa.text("state IN ('ACTIVE', 'PENDING', 'RESERVATION')"),
        )
    for name, column, where in (
        ("session_pending", "pending_until", "state = 'PENDING'"),
        ("session_closing", "closes_at", "closes_at IS NOT NULL"),
    ):
        op.create_index(name, "session", [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("ix_session_command", "session", ["command"])
    has_session = sa.text("session IS NOT NULL")
    op.create_index(
        "command_of_session", "command", ["session"], sqlite_where=has_session, postgresql_where=has_session
    )
    _keep_meters()
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_column("meter_last")
        batch_op.drop_column("meter_start")


def _keep_meters() -> None:
    """What a charge has taken so far is known from its messages from now on: the two readings become two of them."""
    db = op.get_bind()
    session, event = (sa.Table(name, sa.MetaData(), autoload_with=db) for name in ("session", "transaction_event"))
    for row in db.execute(sa.select(session).where(session.c.meter_start.is_not(None))).mappings().all():
        start, last = (Decimal(str(row[name] or 0)) for name in ("meter_start", "meter_last"))
        kwh = max(Decimal(0), last - start) / 1000
        db.execute(session.update().where(session.c.id == row["id"]).values(kwh=str(kwh)))
        for key, wh, at in (("meter_start", start, row["start_date_time"]), ("meter_last", last, row["last_updated"])):
            told = {"session": row["id"], "key": key, "phase": "Updated", "at": at, "noted_at": at, "offline": False}
            blank = {"trigger": "", "charging_state": "", "stopped_reason": ""}
            db.execute(event.insert().values(**told, **blank, readings=[{"at": None, "register_wh": str(wh)}]))


def downgrade() -> None:
    raise NotImplementedError("a Session without a transaction has no place in the older tables: restore a backup")
