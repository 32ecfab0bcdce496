"""Settings: every knob of the gateway, typed in units, frozen once read."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ocpi.versions import ModuleID

_DURATION = TypeAdapter(timedelta)
#: What may stand in an Authorization header (RFC 6750 §2.1), and is too long to be guessed.
BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")


def _duration(value: object) -> object:
    return read_duration(value) if isinstance(value, str) else value


def read_duration(value: str) -> timedelta:
    """``"8"`` and ``"PT8S"`` are both eight seconds; pydantic alone refuses ``"8"``. Raises ValueError."""
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        pass
    try:
        return _DURATION.validate_python(value)
    except ValidationError:
        raise ValueError("a duration is a number of seconds, or ISO 8601 as in PT8S") from None


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("a duration is not less than 0 seconds")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("this duration is more than 0 seconds")
    return value


def _at_most(seconds: int) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if value > timedelta(seconds=seconds):
            raise ValueError(f"this duration is at most {seconds} seconds")
        return value

    return AfterValidator(check)


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        if value and value.partition("://")[0] not in schemes:
            raise ValueError(f"a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return AfterValidator(check)


def _database(value: str) -> str:
    if not value:
        return value
    from sqlalchemy import make_url  # most settings name none, and it takes a while

    try:
        named = make_url(value)
    except ValueError:  # it may repeat the password
        raise ValueError("its port is not a number") from None
    if named.drivername == "sqlite" and named.database in {None, "", ":memory:"}:
        raise ValueError("it names no file, so that nothing would be kept")
    return value


def _redis(value: str) -> str:
    if not value:
        return value
    from redis import Redis
    from redis.exceptions import RedisError

    if not value.startswith("unix:") and not re.fullmatch(r"/?\d*", _path(value)):
        raise ValueError("what follows the host is not the number of a database")
    try:
        Redis.from_url(value).connection_pool.make_connection()
    except (ValueError, RedisError):  # the first may repeat the password
        raise ValueError("redis-py cannot read its port, or one of its options") from None
    except TypeError as problem:
        raise ValueError(f"redis-py does not know its option {str(problem).rpartition(' ')[2]}") from None
    return value


def _path(value: str) -> str:
    try:
        return urlsplit(value).path
    except ValueError as problem:
        raise ValueError(f"it is no URL: {problem}") from None


def _bearer(value: SecretStr) -> SecretStr:
    if not BEARER_TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("a token is 16 or more letters, digits and signs of -._~+/=")
    return value


Seconds = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_not_negative)]
SomeSeconds = Annotated[Seconds, AfterValidator(_positive)]


class Settings(BaseSettings):
    """Each field is the environment variable ``GATEWAY_<NAME>``; a duration is a number of seconds or ISO 8601."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="ignore")

    #: Where the embedded database, Valkey and generated secrets live.
    data_dir: Path = Path("gateway-data")
    #: ``sqlite:///…`` or ``postgresql://…``; the default is SQLite in the data directory.
    database_url: Annotated[
        str, _url("sqlite", "postgresql", "postgres", "postgresql+psycopg"), AfterValidator(_database)
    ] = ""
    #: ``redis://…`` or ``unix://…``; the default is the embedded Valkey in the data directory.
    redis_url: Annotated[str, _url("redis", "rediss", "unix"), AfterValidator(_redis)] = ""
    #: What partners put before ``/ocpi/…``; the default is where the api process listens.
    public_url: Annotated[str, _url("https", "http")] = ""

    #: Told to partners as CommandResponse.timeout; a result is posted within it or never.
    command_timeout: Seconds = timedelta(seconds=30)
    #: How long a station may take, queue time included; leaves time to post.
    station_timeout: SomeSeconds = timedelta(seconds=20)
    #: Pauses between attempts to deliver a result, cut at the promised timeout.
    callback_pauses: Annotated[tuple[Seconds, ...], NoDecode] = tuple(timedelta(seconds=s) for s in (1, 2, 4, 8))
    #: The longest a single attempt may take, from the first byte to the last.
    callback_attempt_timeout: SomeSeconds = timedelta(seconds=5)
    #: True also allows http, and private addresses for a connection's registered hosts only.
    allow_private_callbacks: bool = False

    #: Commands a second that one eMSP may send on average; what comes faster waits a moment, then is REJECTED.
    emsp_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 25.0
    #: Commands that one eMSP may send in a burst: 50 come in at once, the others at twice the rate.
    emsp_burst: Annotated[int, Field(ge=1)] = 500
    #: Waiting commands a station may have; the next one fails at once, unless it is its party's first.
    station_queue: Annotated[int, Field(ge=1)] = 8
    #: A reservation that ends sooner than this is refused.
    reservation_min: Seconds = timedelta(seconds=60)
    #: A reservation that ends later than this is refused.
    reservation_max: Seconds = timedelta(hours=24)
    #: How long after its expiry an unconfirmed reservation is given up on: stations' clocks differ.
    reservation_grace: Seconds = timedelta(seconds=30)
    #: Pause before a clean-up CancelReservation is tried again.
    cleanup_pause: SomeSeconds = timedelta(seconds=30)
    #: How long a station may be away before partners are told that nothing is known of its EVSEs.
    offline_after: Seconds = timedelta(seconds=60)
    #: How long a driver has to plug in after a start, where the station does not tell.
    connection_timeout: SomeSeconds = timedelta(seconds=120)
    #: How long after that a start that became no transaction is given up.
    connection_margin: Seconds = timedelta(seconds=30)
    #: How long a transaction that has ended waits for messages before its end that have not come.
    transaction_patience: Seconds = timedelta(hours=24)
    #: How often at most a partner is told that a charge goes on; a change of state is told at once.
    session_pause: Seconds = timedelta(seconds=30)
    #: A reservation that a 1.6 station has lost is made again where more than a minute is left; else it is cancelled.
    reserve_again: bool = True
    #: RemoteStart Rejected without a known cause: OCPI's enumeration says REJECTED, its diagram FAILED.
    start_refused: Literal["REJECTED", "FAILED"] = "REJECTED"
    #: How long a station waits at most for an eMSP's word on a card.
    authorize_timeout: Annotated[SomeSeconds, _at_most(20)] = timedelta(seconds=5)
    #: How long an eMSP's word on a card is good at the station, so that a start asks no second time.
    authorization_memory: Annotated[Seconds, _at_most(900)] = timedelta(minutes=5)
    #: Told to stations in BootNotification's answer.
    heartbeat_interval: Annotated[int, Field(ge=10)] = 300
    #: ISO 4217, of every Session.
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"

    #: About how often all partners' tokens are pulled, beside what they push; 0: only when an operator says so.
    token_pull_interval: Seconds = timedelta(0)
    #: How long a partner's versions and details may take in a handshake, while its own request waits.
    registration_timeout: SomeSeconds = timedelta(seconds=20)
    #: OCPI modules that a partner must offer, or its registration is refused (3003); credentials always.
    expected_modules: Annotated[tuple[ModuleID, ...], NoDecode] = ()
    #: How long an invitation is good.
    invitation_lasts: SomeSeconds = timedelta(days=7)
    #: How long after a registration its token A may be used once more: the answer with the new one may have been lost.
    registration_grace: Seconds = timedelta(minutes=10)
    #: How long a partner's token is still good when it has used its next one, or we were told that it has it.
    token_grace: Seconds = timedelta(seconds=60)

    #: How often a process looks in the database for what is due.
    sweep_interval: SomeSeconds = timedelta(seconds=1)
    #: A command that was not moved on for this long is rung for again.
    ring_again: Seconds = timedelta(seconds=2)

    #: Keys token hashes, aliases and the seal of outgoing tokens; generated into the data directory when not given.
    secret_key: Annotated[SecretStr, Field(min_length=1)] | None = None
    #: Opens the operator API: 16 characters or more; generated into the data directory when not given.
    operator_token: Annotated[SecretStr, AfterValidator(_bearer)] | None = None
    #: ``json`` for machines.
    log_format: Literal["console", "json"] = "console"
    #: Lines below it are not written.
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("callback_pauses", "expected_modules", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.station_timeout >= self.command_timeout:
            raise ValueError("GATEWAY_STATION_TIMEOUT must be less than GATEWAY_COMMAND_TIMEOUT")
        if self.reservation_min >= self.reservation_max:
            raise ValueError("GATEWAY_RESERVATION_MIN must be less than GATEWAY_RESERVATION_MAX")
        return self

    @property
    def node_patience(self) -> timedelta:
        """How long after a station's deadline the node that asked it has the word, before the clock has it."""
        return min(timedelta(seconds=1), (self.command_timeout - self.station_timeout) / 4)

    @property
    def database(self) -> str:
        """SQLAlchemy's URL of the database, with the driver we ship."""
        url = self.database_url or f"sqlite:///{self.data_dir.absolute() / 'gateway.db'}"
        scheme, _, rest = url.partition("://")
        return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else url


class SettingsProblem(SystemExit):
    """A setting is wrong: a sentence that names it, and exit code 1."""


def read_settings(**given: object) -> Settings:
    """Settings from the environment, ``given`` winning over it; raises SettingsProblem."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic reads and refuses
    except ValidationError as wrong:
        raise SettingsProblem("\n".join(_sentence(dict(error)) for error in wrong.errors())) from None


def _sentence(error: dict[str, object]) -> str:
    place = error["loc"]
    name = f"GATEWAY_{str(place[0]).upper()} is wrong: " if isinstance(place, tuple) and place else ""
    return f"{name}{str(error['msg']).removeprefix('Value error, ')}"
