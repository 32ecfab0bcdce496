"""Every setting can be given by the environment, and a wrong value stops the start with a sentence that names it."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from gateway.settings import Settings, SettingsProblem, read_settings

#: For each setting: how it is written, and what it then is.
GIVEN = {
    "data_dir": ("somewhere", Path("somewhere")),
    "database_url": ("postgresql://u:p@db/gateway", "postgresql://u:p@db/gateway"),
    "redis_url": ("rediss://queue:6380/1", "rediss://queue:6380/1"),
    "public_url": ("https://ocpi.example.com", "https://ocpi.example.com"),
    "command_timeout": ("45", timedelta(seconds=45)),
    "station_timeout": ("PT12.5S", timedelta(seconds=12.5)),
    "callback_pauses": ("0.5, 1,PT1M", (timedelta(seconds=0.5), timedelta(seconds=1), timedelta(minutes=1))),
    "callback_attempt_timeout": ("2.5", timedelta(seconds=2.5)),
    "allow_private_callbacks": ("true", True),
    "emsp_rate": ("2.5", 2.5),
    "emsp_burst": ("3", 3),
    "station_queue": ("3", 3),
    "reservation_min": ("0", timedelta(0)),
    "reservation_max": ("PT48H", timedelta(hours=48)),
    "reservation_grace": ("PT1M", timedelta(minutes=1)),
    "cleanup_pause": ("5", timedelta(seconds=5)),
    "offline_after": ("PT2M", timedelta(minutes=2)),
    "connection_timeout": ("90", timedelta(seconds=90)),
    "connection_margin": ("0", timedelta(0)),
    "transaction_patience": ("PT1H", timedelta(hours=1)),
    "session_pause": ("5", timedelta(seconds=5)),
    "reserve_again": ("false", False),
    "start_refused": ("FAILED", "FAILED"),
    "authorize_timeout": ("10", timedelta(seconds=10)),
    "authorization_memory": ("0", timedelta(0)),
    "heartbeat_interval": ("60", 60),
    "currency": ("SEK", "SEK"),
    "token_pull_interval": ("PT6H", timedelta(hours=6)),
    "registration_timeout": ("8", timedelta(seconds=8)),
    "expected_modules": ("sessions, cdrs", ("sessions", "cdrs")),
    "invitation_lasts": ("PT24H", timedelta(hours=24)),
    "registration_grace": ("0", timedelta(0)),
    "token_grace": ("5", timedelta(seconds=5)),
    "sweep_interval": (".25", timedelta(seconds=0.25)),
    "ring_again": ("4", timedelta(seconds=4)),
    "secret_key": ("a long secret", SecretStr("a long secret")),
    "operator_token": ("0123456789abcdef", SecretStr("0123456789abcdef")),
    "log_format": ("json", "json"),
    "log_level": ("DEBUG", "DEBUG"),
}


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GATEWAY_{name.upper()}", raising=False)


def test_every_setting_is_tried_here() -> None:
    assert set(GIVEN) == set(Settings.model_fields)


@pytest.mark.parametrize("name", GIVEN)
def test_the_environment_gives_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    written, value = GIVEN[name]
    monkeypatch.setenv(f"GATEWAY_{name.upper()}", written)
    assert getattr(read_settings(), name) == value != getattr(Settings.model_construct(), name)


def test_with_no_configuration_at_all_everything_has_a_value() -> None:
    settings = read_settings()
    assert (settings.command_timeout, settings.station_timeout) == (timedelta(seconds=30), timedelta(seconds=20))
    assert settings.callback_pauses == tuple(timedelta(seconds=s) for s in (1, 2, 4, 8))
    assert settings.database == f"sqlite:///{Path('gateway-data').absolute() / 'gateway.db'}"


def test_no_pauses_mean_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CALLBACK_PAUSES", "")
    assert read_settings().callback_pauses == ()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("command_timeout", "soon"),
        ("command_timeout", "nan"),
        ("command_timeout", "inf"),
        ("command_timeout", ""),
        ("station_timeout", "30"),
        ("station_timeout", "PT31S"),
        ("station_timeout", "0"),
        ("callback_attempt_timeout", "0"),
        ("callback_pauses", "1,x"),
        ("callback_pauses", "-1"),
        ("cleanup_pause", "0"),
        ("sweep_interval", "0"),
        ("sweep_interval", "-1"),
        ("ring_again", "-2"),
        ("reservation_grace", "-30"),
        ("reservation_min", "P2D"),
        ("reservation_max", "30"),
        ("database_url", "mysql://u@h/db"),
        ("database_url", "gateway.db"),
        ("database_url", "postgresql://u:secret@h:port/db"),
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///:memory:"),
        ("redis_url", "localhost:6379"),
        ("redis_url", "redis://h:port"),
        ("redis_url", "redis://h:65536"),
        ("redis_url", "redis://[::1"),
        ("redis_url", "redis://:secret/@h"),
        ("redis_url", "redis://h/queue"),
        ("redis_url", "redis://h?db=x"),
        ("redis_url", "redis://h?dbs=1"),
        ("redis_url", "rediss://h?ssl_cert_reqs=some"),
        ("public_url", "ocpi.example.com"),
        ("emsp_rate", "0"),
        ("emsp_rate", "inf"),
        ("emsp_burst", "0"),
        ("station_queue", "0"),
        ("station_queue", "many"),
        ("heartbeat_interval", "1"),
        ("currency", "eur"),
        ("start_refused", "MAYBE"),
        ("allow_private_callbacks", "perhaps"),
        ("secret_key", ""),
        ("log_format", "xml"),
        ("log_level", "loud"),
    ],
)
def test_a_wrong_value_is_named_in_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, wrong: str) -> None:
    monkeypatch.setenv(f"GATEWAY_{name.upper()}", wrong)
    with pytest.raises(SettingsProblem) as problem:
        read_settings()
    said = str(problem.value)
    assert f"GATEWAY_{name.upper()}" in said
    assert "\n" not in said
    assert "datetime" not in said
    assert "secret@" not in said
    assert ":secret" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://u:p@h:1/2",
        "redis://h/",
        "redis://h?db=2",
        "rediss://h?ssl_cert_reqs=none",
        "unix:///a/b?db=1",
    ],
)
def test_a_redis_may_be_anywhere(url: str) -> None:
    assert Settings(redis_url=url).redis_url == url


def test_every_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CURRENCY", "euro")
    monkeypatch.setenv("GATEWAY_LOG_LEVEL", "loud")
    with pytest.raises(SettingsProblem, match=r"GATEWAY_CURRENCY.*\n.*GATEWAY_LOG_LEVEL"):
        read_settings()


def test_what_is_given_wins_over_the_environment_unless_it_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATA_DIR", "environment")
    assert read_settings(data_dir=Path("given")).data_dir == Path("given")
    assert read_settings(data_dir=None).data_dir == Path("environment")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_reached_with_the_driver_that_we_ship(scheme: str) -> None:
    assert Settings(database_url=f"{scheme}://u@h/db").database == "postgresql+psycopg://u@h/db"


def test_settings_do_not_change_and_do_not_tell_the_key() -> None:
    settings = Settings(secret_key="do-not-tell")
    assert "do-not-tell" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.currency = "SEK"


@pytest.mark.parametrize("token", ["", "fifteen-signs-1", "a token with spaces", "sixteen-but-not-ä", "=" * 20])
def test_an_operators_token_that_is_short_or_cannot_be_sent_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("GATEWAY_OPERATOR_TOKEN", token)
    with pytest.raises(SettingsProblem, match=r"^GATEWAY_OPERATOR_TOKEN is wrong: a token is 16 or more") as told:
        read_settings()
    assert not token or token not in str(told.value)
