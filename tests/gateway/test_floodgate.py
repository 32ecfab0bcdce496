"""One eMSP's flood is slowed, then refused, and costs no other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from gateway.api import floodgate
from gateway.api.floodgate import Floodgate
from gateway.outgoing.shares import Shares


async def at_once(gate: Floodgate, many: int) -> tuple[int, float]:
    """How many of so many commands are admitted, and how long it took this machine to ask for them all, in seconds."""
    began = time.monotonic()
    asked = [asyncio.create_task(gate.admit(1, "de*one")) for _ in range(many)]
    await asyncio.sleep(0)
    took = time.monotonic() - began
    return sum(await asyncio.gather(*asked)), took


async def test_a_burst_comes_in_at_once_and_what_follows_waits_for_its_turn() -> None:
    gate = Floodgate(rate=20, burst=5)
    began = time.monotonic()
    assert all([await gate.admit(1, "de*one") for _ in range(9)])
    assert time.monotonic() - began >= 4 / 20 * 0.99


async def test_a_flood_is_refused_and_told_of_once() -> None:
    gate = Floodgate(rate=20, burst=5, patience=0.1)
    with capture_logs() as logged:
        admitted, took = await at_once(gate, 50)
        assert await gate.admit(1, "de*two")
        assert await gate.admit(2, "de*one")
    assert 7 <= admitted <= 7 + 20 * took
    assert [one["event"] for one in logged] == ["an eMSP sends more commands than it may"]


async def test_a_burst_comes_in_at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floodgate, "AT_ONCE", 3)
    gate = Floodgate(rate=20, burst=500)
    began = time.monotonic()
    admitted, _ = await at_once(gate, 23)
    assert admitted == 23
    assert time.monotonic() - began >= 20 / 40 * 0.99


async def test_who_waits_too_long_in_a_burst_is_refused_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floodgate, "AT_ONCE", 3)
    monkeypatch.setattr(floodgate, "PATIENCE_IN_BURST", 0.1)
    gate = Floodgate(rate=50, burst=500)
    admitted, took = await at_once(gate, 100)
    assert 13 <= admitted <= 13 + 100 * took
    await asyncio.sleep(0.1)
    assert await gate.admit(1, "de*one")


async def test_what_was_refused_does_not_count() -> None:
    gate = Floodgate(rate=10, burst=1)
    admitted, took = await at_once(gate, 500)
    assert 11 <= admitted <= 11 + 10 * took
    assert await gate.admit(1, "de*one")  # nobody waits for the turns of those that were refused


async def test_a_refusal_is_kept_waiting_and_so_many_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floodgate, "KEPT_WAITING", 3)
    gate = Floodgate(rate=0.001, burst=1, patience=600)
    assert await gate.admit(1, "de*one")
    refused = [asyncio.create_task(gate.admit(1, "de*one")) for _ in range(5)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert [one.done() and one.result() is False for one in refused] == [False, False, False, True, True]
    for one in refused:
        one.cancel()
    await asyncio.gather(*refused, return_exceptions=True)
    again = asyncio.create_task(gate.admit(1, "de*one"))  # those that hung up wait no more
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)


async def test_who_was_refused_is_turned_away_for_a_second_before_he_is_looked_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(floodgate, "KNOWN", 600)
    gate = Floodgate(rate=0.001, burst=1, patience=0.001)
    assert await gate.admit(1, "de*one", "him")
    assert not await gate.turns_away("him")
    assert not await gate.admit(1, "de*one", "him")
    assert await gate.turns_away("him")
    assert not await gate.turns_away("another")
    monkeypatch.setattr(floodgate, "KNOWN", -1)
    assert not await gate.admit(1, "de*one", "him")
    assert not await gate.turns_away("him")


async def test_who_has_been_quiet_is_not_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floodgate, "KNOWN", 600)
    gate = Floodgate(rate=20, burst=1, patience=0.001)
    assert await gate.admit(1, "de*one", "him")
    assert not await gate.admit(1, "de*one", "him")
    await asyncio.sleep(0.06)
    assert not await gate.turns_away("him")
    assert await gate.admit(1, "de*one", "him")


async def test_senders_that_are_not_known_any_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floodgate, "KNOWN", -1)
    gate = Floodgate(rate=0.001, burst=1, patience=0.001)
    for number in range(5):
        await gate.admit(1, "de*one", number)
    assert len(gate._known) <= 1


async def test_only_so_many_are_remembered() -> None:
    gate = Floodgate(rate=1, burst=1, remembered=3)
    for number in range(5):
        assert await gate.admit(number, "de*one")
    assert list(gate._paces) == [(2, "de*one"), (3, "de*one"), (4, "de*one")]


@asynccontextmanager
async def calling(shares: Shares, *calls: tuple[int, str]) -> AsyncIterator[list[tuple[int, str]]]:
    """Which of ``calls`` are under way once they all have come to their turn or wait for it."""
    under_way: list[tuple[int, str]] = []

    async def call(partner: int, host: str) -> None:
        async with shares.of(partner, host):
            under_way.append((partner, host))
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(call(*one)) for one in calls]
    for _ in range(3):
        await asyncio.sleep(0)
    yield under_way
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_partner_s_share_is_its_own() -> None:
    async with calling(Shares(2, 1, 0), (1, "a"), (1, "b"), (1, "a"), (2, "a")) as under_way:
        assert under_way == [(1, "a"), (1, "b"), (2, "a")]


async def test_a_deserted_host_has_a_small_part_of_it_until_somebody_is_there() -> None:
    shares = Shares(3, 1, 0)
    await shares.told(1, "a", is_deserted=True)
    async with calling(shares, (1, "a"), (1, "a"), (1, "b"), (2, "a"), (2, "a")) as under_way:
        assert under_way == [(1, "a"), (1, "b"), (2, "a"), (2, "a")]
    await shares.told(1, "a", is_deserted=False)
    async with calling(shares, (1, "a"), (1, "a")) as under_way:
        assert len(under_way) == 2


async def test_requests_to_a_deserted_host_are_not_made_one_right_after_the_other() -> None:
    shares, made = Shares(3, 2, 0.05), []
    await shares.told(1, "a", is_deserted=True)

    async def call(host: str, is_deserted: bool) -> None:
        async with shares.of(1, host):
            made.append((host, time.monotonic()))
            await shares.told(1, host, is_deserted=is_deserted)

    began = time.monotonic()
    await asyncio.gather(*(call("a", is_deserted=True) for _ in range(6)), call("b", is_deserted=False))
    waits = [int((at - began + 0.001) / 0.05) for host, at in made if host == "a"]
    assert all(wait >= number // 2 for number, wait in enumerate(waits))
    assert [host for host, _ in made].index("b") <= 2
    made.clear()
    shares._pause = 3600
    await asyncio.gather(*(call("a", is_deserted=False) for _ in range(6)))
    assert len(made) == 6  # somebody is there again, and nobody waits any longer


async def test_deserted_hosts_have_no_more_than_their_partner_s_share() -> None:
    """Or whoever names a thousand ports at which nobody is, and then somebody who is slow, would have all sockets."""
    shares = Shares(3, 2, 0)
    hosts = [f"a:{port}" for port in range(10)]
    for host in hosts:
        await shares.told(1, host, is_deserted=True)
    async with calling(shares, *((1, host) for host in hosts)) as under_way:
        assert len(under_way) == 3


async def test_only_so_many_deserted_hosts_are_remembered() -> None:
    shares = Shares(3, 1, 0, remembered=2)
    for host in ("a", "b", "a", "c"):
        await shares.told(1, host, is_deserted=True)
    assert list(shares._deserted) == [(1, "a"), (1, "c")]


async def test_a_share_that_nobody_uses_is_forgotten() -> None:
    shares = Shares(1, 1, 0)
    await shares.told(1, "b", is_deserted=True)
    async with calling(shares, (1, "b")):
        assert sorted(shares._shares) == [(1, ""), (1, "b")]
    assert list(shares._shares) == []
