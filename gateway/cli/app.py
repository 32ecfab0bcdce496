"""The operators' commands, gathered."""

import typer


def add_to(app: typer.Typer) -> None:
    """Mount every operators' command on ``app``."""
