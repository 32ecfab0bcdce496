"""The queue is down: a command is refused as a whole, at once, and nothing of it turns up when the queue is back."""

import asyncio

import pytest
from redis.asyncio import Redis

from gateway.domain.lifecycle import ReservationState
from ocpp_bridge.registry import Registry
from tests.support.emsp import moment
from tests.support.gateway import Gateway, Spot, running
from tests.support.office import Desk, office
from tests.support.scene import orders, scene

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A gateway whose Valkey may be frozen and killed."""
    with running(tmp_path_factory.mktemp("queue"), GATEWAY_SWEEP_INTERVAL="0.3") as started:
        yield started


async def test_the_queue_is_frozen_and_the_command_is_rejected_with_3000(own: Gateway):
    async with scene(own) as place:
        own.freeze("valkey")
        try:
            told = await asyncio.gather(
                place.emsp.reserve(place.location),
                place.emsp.start_session(place.location),
                place.emsp.unlock(place.location, version="2.2"),
            )
            # What is refused without asking anybody is refused as ever.
            assert (await place.emsp.reserve("NOPE")).code == 2003
        finally:
            own.thaw("valkey")
        for one in told:
            assert (one.http, one.code, one.result) == (200, 3000, "REJECTED")
            assert one.json["data"]["timeout"] == 0
        await _works_again(place)


async def test_the_queue_is_killed_and_comes_back(own: Gateway):
    async with scene(own) as place:
        own.kill("valkey")
        told = await place.emsp.reserve(place.location)
        # The supervisor may have been quicker than we.
        if told.result == "ACCEPTED":
            assert await place.emsp.result(told) == "ACCEPTED"
            return
        assert (told.http, told.code, told.result) == (200, 3000, "REJECTED")
        await _works_again(place)


async def test_a_command_that_was_rejected_is_no_duplicate_when_it_is_sent_again(own: Gateway):
    async with scene(own) as place:
        body = {
            "token": place.emsp.token_body(),
            "expiry_date": moment(hours=1),
            "reservation_id": "R-1",
            "location_id": place.location,
            "evse_uid": "E1",
            "response_url": place.emsp.url_for("again"),
        }
        own.freeze("valkey")
        try:
            first = await place.emsp.send("RESERVE_NOW", body, X_Request_ID="again")
        finally:
            own.thaw("valkey")
        assert (first.code, first.result) == (3000, "REJECTED")
        told = await _once_back(lambda: place.emsp.send("RESERVE_NOW", body, X_Request_ID="again"))
        told.name = "again"
        assert await place.emsp.result(told) == "ACCEPTED"
        assert [action for action, _ in orders(place.station)] == ["ReserveNow"]


async def test_what_was_accepted_before_is_answered_from_the_record_all_the_same(own: Gateway):
    async with scene(own) as place:
        where = {"location_id": place.location, "evse_uid": "E1", "connector_id": "1"}
        body = where | {"response_url": place.emsp.url_for("before")}
        first = await _once_back(lambda: place.emsp.send("UNLOCK_CONNECTOR", body))
        own.freeze("valkey")
        try:
            again = await place.emsp.send("UNLOCK_CONNECTOR", body, X_Request_ID=first.name)
        finally:
            own.thaw("valkey")
        assert again.json["data"] == first.json["data"]


async def _works_again(place) -> None:
    """Nothing was left over; then every command of before works."""
    told = await _once_back(lambda: place.emsp.unlock(place.location))
    assert await place.emsp.result(told) == "ACCEPTED"
    assert [action for action, _ in orders(place.station)] == ["UnlockConnector"]
    assert await place.emsp.result(await place.emsp.reserve(place.location)) == "ACCEPTED"
    assert await place.emsp.result(await place.emsp.cancel()) == "ACCEPTED"
    assert len(place.emsp.callbacks) == len(place.gateway.rows("callback", partner=place.emsp.partner_id)) == 3


async def _once_back(send):
    """A lease may have run out meanwhile and is renewed within seconds."""
    async with asyncio.timeout(60):
        while (told := await send()).result != "ACCEPTED":
            await asyncio.sleep(0.2)
    return told


# The station is known to be there, and only the workers cannot be told


@pytest.fixture
async def half(tmp_path, redis_url):
    """(desk, an online station, a second one, the eMSP and its token)."""
    async with office(tmp_path, redis_url, bell=NOBODY, allow_private_callbacks=True) as desk:
        names = [desk.gateway.station_name() for _ in range(2)]
        redis = Redis.from_url(redis_url)
        registry = Registry(redis, "node")
        for name in names:
            await registry.acquire(name, "ocpp2.0.1")
        spots = [Spot(name, uid=f"E{number}") for number, name in enumerate(names, 1)]
        yield desk, desk.gateway.location(*spots), desk.gateway.emsp(party=("DE", "ABC"))
        await redis.aclose()


async def _reserve(desk: Desk, emsp, location: str, evse: str = "E1", **headers: str) -> dict:
    body = {
        "response_url": "http://127.0.0.1/x",
        "token": emsp.token_body(),
        "expiry_date": moment(hours=1),
        "reservation_id": "R-1",
        "location_id": location,
        "evse_uid": evse,
    }
    return await desk.post("RESERVE_NOW", body, emsp.token_in, **headers)


async def test_a_command_that_no_worker_hears_of_is_taken_back(half):
    desk, location, emsp = half
    told = await _reserve(desk, emsp, location, X_Request_ID="one")
    assert told["status_code"] == 3000
    assert (told["data"]["result"], told["data"]["timeout"]) == ("REJECTED", 0)
    (row,) = desk.gateway.rows("command")
    assert (row["state"], row["response"], row["duplicate_key"]) == ("CONCLUDED", "REJECTED", None)
    assert [one["state"] for one in desk.gateway.rows("reservation")] == [ReservationState.REFUSED]
    assert desk.gateway.rows("callback") == []
    # Its id is free again.
    assert (await _reserve(desk, emsp, location, X_Request_ID="one"))["status_code"] == 3000


async def test_a_reservation_that_could_not_move_stays_where_it_is(half):
    """Taken back with all that it had begun: the old station is not asked to cancel what the eMSP still believes in."""
    desk, location, emsp = half
    await _reserve(desk, emsp, location)
    with desk.gateway.database() as db:
        db.exec_driver_sql("UPDATE reservation SET state = 'ACTIVE'")
    told = await _reserve(desk, emsp, location, "E2")
    assert (told["status_code"], told["data"]["result"]) == (3000, "REJECTED")
    first, second = desk.gateway.rows("reservation")
    assert (first["state"], bool(first["superseded"])) == ("ACTIVE", False)
    assert second["state"] == "REFUSED"
    assert {one["state"] for one in desk.gateway.rows("command")} == {"CONCLUDED"}
