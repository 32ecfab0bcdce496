"""Partners register: tokens of their own table, the parties they declare, parties behind hubs, pulls of tokens"""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import Utc
from ocpi.headers import Party

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "partner_token",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("partner", _BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.Column("created_at", Utc(), nullable=False),
        sa.Column("used_at", Utc(), nullable=True),
        sa.Column("expires_at", Utc(), nullable=True),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_partner_token_partner", "partner_token", ["partner"])
    op.create_table(
        "partner_party",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("partner", _BIG, nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("key", sa.String(length=8), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("business_details", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("partner", "key", "role"),
    )
    op.create_table(
        "client_info",
        sa.Column("id", _BIG, autoincrement=True, nullable=False),
        sa.Column("partner", _BIG, nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("key", sa.String(length=8), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("last_updated", Utc(), nullable=False),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("partner", "key", "role"),
    )
    op.create_table(
        "token_sync",
        sa.Column("partner", _BIG, autoincrement=False, nullable=False),
        sa.Column("page", sa.String(), nullable=True),
        sa.Column("began_at", Utc(), nullable=True),
        sa.Column("since", Utc(), nullable=True),
        sa.Column("synced_at", Utc(), nullable=True),
        sa.Column("due_at", Utc(), nullable=True),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"]),
        sa.PrimaryKeyConstraint("partner"),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index("token_sync_due", "token_sync", ["due_at"], sqlite_where=due, postgresql_where=due)
    with op.batch_alter_table("partner", schema=None) as batch_op:
        batch_op.add_column(sa.Column("token_out_before", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("versions_url", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("registered_hosts", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("open_parties", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("lenient_routing", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("trailing_slash", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("registered_at", Utc(), nullable=True))
    op.create_index("command_asked", "command", ["partner", "request_id"])
    _carry_over()
    with op.batch_alter_table("partner", schema=None) as batch_op:
        batch_op.drop_column("token_in")


def _carry_over() -> None:
    """Partners that were added by hand: their tokens, their one party, their hosts; hubs go on as openly as before."""
    db = op.get_bind()
    known = sa.MetaData()
    partner, token, party = (
        sa.Table(name, known, autoload_with=db) for name in ("partner", "partner_token", "partner_party")
    )
    for row in db.execute(sa.select(partner)).mappings().all():
        mine = {"partner": row["id"], "created_at": row["created_at"]}
        db.execute(token.insert().values(hash=row["token_in"], number=1, scope="ACCESS", **mine))
        names = {name: row[name] for name in ("country_code", "party_id", "role")}
        key = Party(row["country_code"], row["party_id"]).key
        db.execute(party.insert().values(partner=row["id"], key=key, **names))
    db.execute(partner.update().values(registered_hosts=partner.c.callback_hosts))
    db.execute(partner.update().where(partner.c.role == "HUB").values(open_parties=True))


def downgrade() -> None:
    raise NotImplementedError("a partner with several tokens has no place in the older tables: restore a backup")
