"""The entry point ``ocpi-gateway``: the processes, and beside them the operators' commands.

A process imports only what it runs, when it runs: that is most of its memory, and of the time it takes to start.
"""

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from gateway.settings import read_settings

app = typer.Typer(
    name="ocpi-gateway",
    help="OCPI commands, carried to OCPP charging stations, with exact outcomes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (GATEWAY_DATA_DIR).")]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
ApiPort = Annotated[int, typer.Option("--api-port", min=1, max=65_535, help="Port of the HTTP API.")]
OcppPort = Annotated[int, typer.Option("--ocpp-port", min=1, max=65_535, help="Port of the stations' WebSockets.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="Worker processes.")]


@app.command()
def up(
    data: Data = None,
    host: Host = "127.0.0.1",
    api_port: ApiPort = 8000,
    ocpp_port: OcppPort = 9000,
    workers: Workers = 1,
) -> None:
    """Everything on one machine: api, bridge, workers and, unless GATEWAY_REDIS_URL is set, Valkey; supervised."""
    from workers import up as everything

    raise typer.Exit(everything.run(read_settings(data_dir=data), host, api_port, ocpp_port, workers))


@app.command()
def api(data: Data = None, host: Host = "127.0.0.1", port: ApiPort = 8000) -> None:
    """The api process: OCPI over HTTP."""
    from workers import api as process

    process.serve(read_settings(data_dir=data), host, port)


@app.command()
def bridge(data: Data = None, host: Host = "127.0.0.1", port: OcppPort = 9000) -> None:
    """The bridge process: the stations' WebSockets."""
    from workers import bridge as process

    process.serve(read_settings(data_dir=data), host, port)


@app.command()
def worker(data: Data = None) -> None:
    """A worker process: RQ jobs, callbacks, the sweeper."""
    from workers import worker as process

    process.serve(read_settings(data_dir=data))


PROCESSES = {"up", "api", "bridge", "worker"}


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that this terminal cannot show is no reason to fail
    if sys.argv[1:2] and sys.argv[1] in PROCESSES:
        app()
    from gateway.cli.app import add_to
    from workers.bench.cli import bench

    add_to(app)
    app.add_typer(bench, name="bench")
    app()


if __name__ == "__main__":
    main()
