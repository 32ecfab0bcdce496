"""Several of the operators' commands in one process: starting one takes longer than all that they do."""

import json
import sys

import typer

from gateway.cli.app import add_to


def main(commands: list[list[str]]) -> None:
    """Run each in turn, as ``ocpi-gateway`` would; the first that fails is the last."""
    app = typer.Typer(pretty_exceptions_enable=False)
    add_to(app)
    for words in commands:
        try:
            app(words)
        except SystemExit as ended:
            if ended.code:
                raise


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
