"""When the store is busy, and when results are many: what is promised is kept, and told once and in order."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway import reservations
from gateway.api import floodgate
from gateway.callbacks import deliver
from gateway.domain.lifecycle import PartnerState
from gateway.office import CALLS_AT_ONCE, Office
from gateway.simulators.emsp import SimulatedEmsp
from gateway.store import partners, queues
from ocpi.headers import Party
from ocpp_bridge.registry import Registry
from tests.support.gateway import CPO, Spot
from tests.support.indoors import Indoors
from tests.support.office import office

BUSY = 1.5  # seconds
TOO_MANY = "You are sending too many commands at once."


@contextmanager
def somebody_else_writes(database: Path):
    """For as long as the block lasts; when it ended."""
    other, ended = sqlite3.connect(database, isolation_level=None), []
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield ended
    finally:
        ended.append(datetime.now(UTC))
        other.close()


@pytest.fixture
async def house(tmp_path: Path):
    """A house whose clock is the world's, and a function that opens an office on it, as another process would."""
    indoors = Indoors(
        f"sqlite:///{tmp_path / 'gateway.db'}",
        secret_key="indoors",
        allow_private_callbacks=True,
        callback_attempt_timeout=2,
    )
    indoors.now = datetime.now(UTC)
    async with AsyncExitStack() as opened:

        def process() -> Office:
            one = Office.open(indoors.rules.settings, "redis://127.0.0.1:1")
            opened.push_async_callback(one.close)
            return one

        yield indoors, process
    indoors.close()


async def test_what_is_accepted_is_promised_from_when_it_was_written_down(tmp_path: Path, redis_url: str):
    async with office(tmp_path, redis_url, allow_private_callbacks=True, command_timeout=2, station_timeout=1) as desk:
        emsp, station = desk.gateway.emsp(), desk.gateway.station_name()
        location = desk.gateway.location(Spot(station, evse=None, connector=1))
        async with Redis.from_url(redis_url) as redis:
            await Registry(redis, "node").acquire(station, "ocpp1.6")
        body = {"response_url": "http://127.0.0.1:1/", "location_id": location, "evse_uid": "E1", "connector_id": "1"}
        with somebody_else_writes(tmp_path / "gateway.db") as ended:
            asking = asyncio.create_task(desk.post("UNLOCK_CONNECTOR", body, emsp.token_in))
            await asyncio.sleep(BUSY)
        told = await asking
        assert (told["data"]["result"], told["data"]["timeout"]) == ("ACCEPTED", 2)
        [row] = desk.gateway.rows("command")
        assert row["promised_until"] >= ended[0] + timedelta(seconds=2)
        assert row["deadline"] >= ended[0] + timedelta(seconds=1)


async def test_a_callback_is_held_from_when_it_was_taken(house, tmp_path: Path):
    indoors, process = house
    async with SimulatedEmsp(token="out", faults=["slow=0.3"]) as emsp:
        partner, (location, station) = indoors.partner(), indoors.one_evse()
        indoors.start(partner, location, response_url=emsp.url_for("slow"))
        indoors.next(station)
        one, other = process(), process()
        with somebody_else_writes(tmp_path / "gateway.db"):
            delivering = asyncio.create_task(deliver(one))
            await asyncio.sleep(BUSY + 2)  # longer than an attempt and its margin
        await asyncio.sleep(0.1)
        await asyncio.gather(delivering, deliver(other))
        assert [callback.json["result"] for callback in emsp.callbacks] == ["ACCEPTED"]
        assert [row["state"] for row in indoors.rows("callback")] == ["DELIVERED"]


async def test_a_later_result_is_not_told_before_the_earlier_one(house):
    indoors, process = house
    async with SimulatedEmsp(token="out", faults=["first-n-500=1"]) as emsp:
        partner, (location, station) = indoors.partner(), indoors.one_evse()
        indoors.reserve(partner, location, response_url=emsp.url_for("two"))
        indoors.next(station)
        number = indoors.reservation()["number"]
        indoors.run(reservations.ended, station, number, "Removed", indoors.rules, indoors.now)
        assert indoors.told() == ["ACCEPTED", "CANCELED_RESERVATION"]
        gateway = process()
        async with asyncio.timeout(20):
            while {row["state"] for row in indoors.rows("callback")} != {"DELIVERED"}:
                await deliver(gateway)
                await asyncio.sleep(0.1)
        assert [one.json["result"] for one in emsp.callbacks] == ["ACCEPTED", "ACCEPTED", "CANCELED_RESERVATION"]


def test_one_party_s_flood_leaves_each_other_party_a_place_at_the_station(indoors: Indoors):
    hub, (location, station) = indoors.partner(Party("XX", "HUB"), role="HUB"), indoors.one_evse()
    where = {"location_id": location, "evse_uid": "E1", "connector_id": "1"}

    def unlock(party: str) -> int:
        return indoors.ask(hub, "UNLOCK_CONNECTOR", where, emsp=Party("DE", party)).dispatch[-1]

    many = [unlock("MNY") for _ in range(10)]
    few = unlock("FEW")
    more = [unlock("mny"), unlock("FEW")]

    def crowded_out(most: int) -> set[int]:
        return queues.crowded_out(indoors.run(queues.queue_of, [few]), most)

    assert crowded_out(8) == {*many[8:], *more}
    indoors.next(station)
    assert crowded_out(8) == {*many[9:], *more}
    assert few not in crowded_out(1)


async def test_a_flood_of_one_emsp_is_refused_without_a_record_and_others_are_heard(tmp_path: Path, redis_url: str):
    async with office(tmp_path, redis_url, allow_private_callbacks=True, emsp_rate=0.1, emsp_burst=2) as desk:
        flood, other = desk.gateway.emsp(), desk.gateway.emsp()
        desk.gateway.location(Spot(desk.gateway.station_name(), evse=None, connector=1))
        body = {"response_url": "http://127.0.0.1:1/", "location_id": "?", "evse_uid": "E1", "connector_id": "1"}
        told = [await desk.post("UNLOCK_CONNECTOR", body, flood.token_in) for _ in range(4)]
        assert [one["status_code"] for one in told] == [2003, 2003, 1000, 1000]
        assert {one["data"]["result"] for one in told} == {"REJECTED"}
        assert told[-1]["data"]["message"][0]["text"] == TOO_MANY
        assert len(desk.gateway.rows("command")) == 2
        heard = await desk.post("UNLOCK_CONNECTOR", body, other.token_in)
        assert heard["status_code"] == 2003


UNLOCK = {"response_url": "http://127.0.0.1:1/", "location_id": "?", "evse_uid": "E1", "connector_id": "1"}
FROM_DE_EMS = {"OCPI-from-country-code": "DE", "OCPI-from-party-id": "EMS"}
TO_NL_CPO = {"OCPI-to-country-code": CPO.country_code, "OCPI-to-party-id": CPO.party_id}


async def flooded(desk, **headers: str):
    """How an eMSP is answered that has sent one command too many, and then is suspended."""
    flood = desk.gateway.emsp(("DE", "EMS"))
    desk.gateway.location(Spot(desk.gateway.station_name(), evse=None, connector=1))
    sent = {"Authorization": f"Token {flood.token_in}"} | headers
    answers = []
    for suspends in (False, False, False, True):
        if suspends:
            with desk.gateway.database() as db:
                partners.become(db, flood.partner_id, PartnerState.SUSPENDED)
        answers.append(await desk.client.post("/ocpi/cpo/2.2.1/commands/UNLOCK_CONNECTOR", json=UNLOCK, headers=sent))
    return answers[1:]


@pytest.mark.parametrize("headers", [{}, FROM_DE_EMS | TO_NL_CPO])
async def test_a_flood_is_refused_before_its_token_is_looked_up(tmp_path, redis_url, monkeypatch, headers):
    monkeypatch.setattr(floodgate, "KNOWN", 600)
    async with office(tmp_path, redis_url, allow_private_callbacks=True, emsp_rate=0.1, emsp_burst=1) as desk:
        answers = await flooded(desk, **headers)
    assert {one.json()["data"]["message"][0]["text"] for one in answers} == {TOO_MANY}
    routed = {name: answers[0].headers.get(name) for name in FROM_DE_EMS | TO_NL_CPO}
    assert all(routed == {name: one.headers.get(name) for name in routed} for one in answers)


async def test_commands_that_mean_nothing_count_as_well(tmp_path, redis_url):
    async with office(tmp_path, redis_url, allow_private_callbacks=True, emsp_rate=0.1, emsp_burst=1) as desk:
        flood = desk.gateway.emsp()
        desk.gateway.location(Spot(desk.gateway.station_name(), evse=None, connector=1))
        told = [await desk.post("UNLOCK_CONNECTOR", {}, flood.token_in) for _ in range(3)]
    assert [one["status_code"] for one in told] == [2001, 1000, 1000]
    assert told[-1]["data"]["message"][0]["text"] == TOO_MANY


@pytest.mark.parametrize(("known", "headers"), [(-1, FROM_DE_EMS | TO_NL_CPO), (600, FROM_DE_EMS)])
async def test_a_flood_is_looked_up_now_and_then_and_where_it_leaves_open_who_answers(
    tmp_path, redis_url, monkeypatch, known, headers
):
    monkeypatch.setattr(floodgate, "KNOWN", known)
    async with office(tmp_path, redis_url, allow_private_callbacks=True, emsp_rate=0.1, emsp_burst=1) as desk:
        *before, last = await flooded(desk, **headers)
    assert {one.json()["data"]["message"][0]["text"] for one in before} == {TOO_MANY}
    assert {one.headers["OCPI-from-party-id"] for one in before} == {CPO.party_id}
    assert last.status_code == 401


async def test_a_partner_that_never_answers_on_many_ports_keeps_nobody_else_waiting(house):
    """Each of its response_urls is another host and port, of which the client would open as many as there are."""
    indoors, process = house
    async with AsyncExitStack() as opened:
        ports = [await opened.enter_async_context(SimulatedEmsp(token="out", faults=["never"])) for _ in range(8)]
        good = await opened.enter_async_context(SimulatedEmsp(token="out"))
        bad_one, (location, station) = indoors.partner(), indoors.one_evse()
        for number in range(CALLS_AT_ONCE + 20):
            indoors.start(bad_one, location, response_url=ports[number % 8].url_for(f"n{number}"))
            indoors.next(station)
        indoors.start(indoors.partner(Party("DE", "TWO")), location, response_url=good.url_for("good"))
        indoors.next(station)
        await deliver(process())
        assert [callback.json["result"] for callback in good.callbacks] == ["ACCEPTED"]
        assert sum(len(port.callbacks) for port in ports) == CALLS_AT_ONCE
