"""Alembic runs this file; the connection is handed in by ``gateway.store.schema``."""

from alembic import context
from sqlmodel import SQLModel

from gateway.store import tables

assert tables.Command.metadata is SQLModel.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
