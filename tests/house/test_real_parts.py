"""The real parts that the other tests lean on."""

import redis
from sqlalchemy import create_engine, text


def test_each_test_gets_an_empty_valkey(redis_url: str) -> None:
    _leave_something(redis_url)


def test_each_test_gets_an_empty_valkey_again(redis_url: str) -> None:
    _leave_something(redis_url)


def _leave_something(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_each_test_gets_an_empty_database(database_url: str) -> None:
    _make_a_table(database_url)


def test_each_test_gets_an_empty_database_again(database_url: str) -> None:
    _make_a_table(database_url)


def _make_a_table(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE left_over (id integer)"))
    engine.dispose()
