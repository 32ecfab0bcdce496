"""``up``: everything on one machine, each process a supervised child; settings replace the embedded parts."""

import sys
from collections.abc import Callable, Sequence

from gateway.settings import Settings
from workers import api as api_process
from workers import bridge as bridge_process
from workers import worker as worker_process
from workers.footing import place, unreachable, unusable
from workers.lock import PATIENCE
from workers.supervisor import Child, Supervisor, port_problem, reachable
from workers.valkey import NoServer, embedded, redis_url


def run(settings: Settings, host: str, api_port: int, ocpp_port: int, workers: int) -> int:
    """Blocks until told to stop; the exit status."""
    if problem := _problem(settings, host, api_port, ocpp_port):
        return _refuse(problem)
    try:
        children = _children(settings, host, api_port, ocpp_port, workers)
    except NoServer as problem:
        return _refuse(str(problem))
    except OSError as problem:
        return _refuse(f"{problem.filename or settings.data_dir} cannot be used: {problem.strerror or problem}.")
    welcome = (
        f"The gateway is up: partners at http://{place(host, api_port)}/ocpi/versions, "
        f"stations at ws://{place(host, ocpp_port)}/ocpp/…, data in {settings.data_dir}."
    )
    return Supervisor(children, settings.data_dir / "run", welcome=welcome).run()


def _problem(settings: Settings, host: str, api_port: int, ocpp_port: int) -> str | None:
    """Why it is of no use to start, in a sentence."""
    if api_port == ocpp_port:
        return f"Port {api_port} cannot be both: --api-port and --ocpp-port are to differ."
    return (
        port_problem(host, api_port, PATIENCE)
        or port_problem(host, ocpp_port, PATIENCE)
        or unusable(settings)
        or (unreachable(settings.redis_url) if settings.redis_url else None)
    )


def _children(settings: Settings, host: str, api_port: int, ocpp_port: int, workers: int) -> list[Child]:
    given = {
        "data_dir": settings.data_dir.absolute(),
        "redis_url": redis_url(settings),
        "public_url": settings.public_url or f"http://{place(host, api_port)}",
    }
    environment = {f"GATEWAY_{name.upper()}": str(value) for name, value in given.items()} | {"PYTHONUNBUFFERED": "1"}
    theirs = settings.model_copy(update=given)

    def child(name: str, words: Sequence[str], run: Callable[[], object], port: int | None = None) -> Child:
        ready = None if port is None else lambda: reachable(host, port)
        return Child(name, [sys.executable, "-m", "workers", *words], run, environment, ready)

    def server(name: str, option: str, port: int, serve: Callable[[Settings, str, int], object]) -> Child:
        words = [name, "--host", host, option, str(port)]
        return child(name, words, lambda: serve(theirs, host, port), port)

    def worker(name: str) -> Child:
        return child(name, ["worker"], lambda: worker_process.serve(theirs, name))

    own = [] if settings.redis_url else [embedded(settings).child()]
    many = [worker(f"worker-{number}") for number in range(1, workers + 1)]
    bridge = server("bridge", "--ocpp-port", ocpp_port, bridge_process.serve)
    return [*own, bridge, *many, server("api", "--api-port", api_port, api_process.serve)]


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1
