"""Alembic's environment: how a database comes to the tables of this release."""
