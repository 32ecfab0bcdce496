"""What the processes stand on: data directory, secrets, database, Redis; and in a sentence, why one cannot be used."""

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from gateway.keys import proven_secrets
from gateway.secrets import WrongKey, operator_token
from gateway.settings import Settings
from gateway.store import schema
from gateway.store.engine import open_engine


def unusable(settings: Settings) -> str | None:
    """None once all is there: data directory, database at this release's schema, its key, and the operators' token."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        engine = open_engine(settings.database)
        schema.upgrade(engine)
        with engine.execution_options(reads_only=True).connect() as db:
            proven_secrets(settings, db)
        operator_token(settings)
        engine.dispose()
    except WrongKey as problem:
        return str(problem)
    except SQLAlchemyError as problem:
        return f"The database cannot be used: {_first_line(getattr(problem, 'orig', None) or problem)}."
    except CommandError as problem:
        return f"The database was not made by this release or an older one: {_first_line(problem)}."
    except OSError as problem:
        return f"{problem.filename or settings.data_dir} cannot be used: {problem.strerror or problem}."
    return None


def unreachable(url: str) -> str | None:
    """None when the Redis or Valkey at ``url`` answers."""
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as redis:
            redis.ping()
    except (RedisError, ValueError, OSError) as problem:
        return f"GATEWAY_REDIS_URL cannot be used: {_first_line(problem)}."
    return None


def place(host: str, port: int) -> str:
    """``host`` and ``port`` as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".:")
