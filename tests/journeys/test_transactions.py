"""Transactions that stations tell twice, late, or without an id, and the Sessions that they are."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.store import reservations
from tests.journeys.test_hard_cases import OCPP, a_place, every_ocpp
from tests.support.emsp import moment
from tests.support.gateway import Gateway
from tests.support.station import now, number_in, token_in


async def charging(emsp, station, location, **more) -> str:
    """A session that a command started; the station's id of its transaction."""
    assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
    count = len(station.all_asked(station.action("START_SESSION")))
    return await station.begin(token_in(await station.asked_for("START_SESSION", count)), **more)


async def test_a_start_that_is_told_again_has_the_same_id_and_ids_are_positive_and_unique(gateway: Gateway):
    async with a_place(gateway, "1.6") as (emsp, station, location):
        at = now()
        first = await charging(emsp, station, location, at=at)
        token = token_in(await station.asked_for("START_SESSION"))
        assert await station.begin(token, at=at) == first
        await station.reconnect()
        assert await station.begin(token, at=at) == first
        assert len(await emsp.sessions()) == 1
        others = {await station.begin(token, connector=number) for number in (2, 3)}
        assert len(others | {first}) == 3
        assert all(0 < int(one) < 2**31 for one in others | {first})


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
async def test_an_event_that_is_told_again_makes_no_second_session(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        transaction = await charging(emsp, station, location)
        event = station._event("Started", transaction, 0, None)
        await station.call("TransactionEvent", event)
        await station.end(transaction)
        await station.end(transaction)
        await station.call("TransactionEvent", event)  # and an old one never opens it again
        assert [one["status"] for one in await emsp.sessions()] == ["COMPLETED"]


@every_ocpp
async def test_a_stop_that_was_queued_offline_ends_the_session_when_it_ended(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        started, stopped = moment(seconds=-4), moment(seconds=-2)
        transaction = await charging(emsp, station, location, at=started)
        await station.reconnect()
        await station.end(transaction, at=stopped, **({} if station.is_1 else {"offline": True}))
        [session] = await emsp.sessions()
        assert session["status"] == "COMPLETED"
        assert (session["start_date_time"], session["end_date_time"]) == (started, stopped)


@every_ocpp
async def test_a_reservation_was_used_though_that_was_told_after_it_expired(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        order = await station.asked_for("RESERVE_NOW")
        held, long_ago = gateway.reservation_of(told)["id"], datetime.now(UTC) - timedelta(minutes=5)
        with gateway.database() as db:
            reservations.change(db, held, long_ago, expiry_date=long_ago)
        await gateway.reservation_becomes(told, "EXPIRED")
        await station.begin(token_in(order), at=moment(minutes=-6), reservationId=number_in(order))
        assert gateway.reservation_of(told)["state"] == "USED"
        assert [one["status"] for one in await emsp.sessions()] == ["COMPLETED", "ACTIVE"]


async def test_a_station_that_never_got_an_id_tells_minus_1_and_is_answered(gateway: Gateway):
    async with a_place(gateway, "1.6") as (emsp, station, location):
        sample = {"timestamp": now(), "sampledValue": [{"value": "700"}]}
        told = {"connectorId": 1, "transactionId": -1, "meterValue": [sample]}
        await station.call("MeterValues", told)
        assert await station.end("-1") == {}
        await charging(emsp, station, location)
        await station.call("MeterValues", told)
        assert [(one["status"], one["kwh"]) for one in await emsp.sessions()] == [("ACTIVE", 0.7)]
        assert await station.end("-1") == {}
        assert [(one["status"], one["kwh"]) for one in await emsp.sessions()] == [("COMPLETED", 1.0)]


async def test_a_reservation_minus_1_is_none_and_the_token_tells(gateway: Gateway):
    async with a_place(gateway, "1.6") as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        await station.begin(token_in(await station.asked_for("RESERVE_NOW")), reservationId=-1)
        assert gateway.reservation_of(told)["state"] == "USED"


async def test_a_stop_with_a_token_that_is_too_long_is_answered(gateway: Gateway):
    async with a_place(gateway, "1.6") as (emsp, station, location):
        transaction = await charging(emsp, station, location)
        answer = await station.end(transaction, idTag="X" * 21, reason="SomethingElse")
        assert answer["idTagInfo"]["status"] == "Invalid"
        assert (await emsp.sessions())[0]["status"] == "COMPLETED"


@pytest.mark.parametrize("ocpp", OCPP)
async def test_a_foreign_token_makes_no_session_and_uses_no_reservation(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        await station.begin("A0B1C2D3")
        assert station.told["status"] == "Invalid"
        assert [one["status"] for one in await emsp.sessions()] == ["RESERVATION"]
        assert gateway.reservation_of(told)["state"] == "ACTIVE"
