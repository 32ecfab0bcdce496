"""``up``: everything on one machine, each process a supervised child; settings replace the embedded parts."""

import sys
from collections.abc import Callable

from gateway.settings import Settings
from workers.footing import place, unreachable, unusable
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
        port_problem(host, api_port)
        or port_problem(host, ocpp_port)
        or unusable(settings)
        or (unreachable(settings.redis_url) if settings.redis_url else None)
    )


def _children(settings: Settings, host: str, api_port: int, ocpp_port: int, workers: int) -> list[Child]:
    environment = {
        "GATEWAY_DATA_DIR": str(settings.data_dir.absolute()),
        "GATEWAY_REDIS_URL": redis_url(settings),
        "GATEWAY_PUBLIC_URL": settings.public_url or f"http://{place(host, api_port)}",
        "PYTHONUNBUFFERED": "1",
    }

    def child(name: str, *words: str, ready: Callable[[], bool] | None = None) -> Child:
        return Child(name, [sys.executable, "-m", "workers", *words], env=environment, ready=ready)

    def server(name: str, option: str, port: int) -> Child:
        return child(name, name, "--host", host, option, str(port), ready=lambda: reachable(host, port))

    own = [] if settings.redis_url else [embedded(settings).child()]
    many = [child(f"worker-{number}", "worker") for number in range(1, workers + 1)]
    return [*own, server("bridge", "--ocpp-port", ocpp_port), *many, server("api", "--api-port", api_port)]


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1
