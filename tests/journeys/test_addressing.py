"""What a station is told: which EVSE, as whom, and in which numbers."""

import re
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.journeys.test_hard_cases import OCPP, a_place, a_station, every_ocpp, spot
from tests.support.gateway import Gateway, eventually
from tests.support.station import number_in, token_in


def whole_station(ocpp: str, value: str) -> dict:
    """A script of a station that says whether it takes reservations that name no EVSE."""
    if ocpp == "1.6":
        key = {"key": "ReserveConnectorZeroSupported", "readonly": True, "value": value}
        return {"GetConfiguration": {"configurationKey": [key]}}
    told = {
        "attributeStatus": "Accepted",
        "attributeValue": value,
        "component": {"name": "ReservationCtrlr"},
        "variable": {"name": "NonEvseSpecific"},
    }
    return {"GetVariables": {"getVariableResult": [told]}}


@asynccontextmanager
async def a_site(gateway: Gateway, ocpp: str, evses: int = 3, stations: int = 1, script: dict | None = None):
    """(eMSP, stations, location) with so many EVSEs at each station, E1, E2 and so on through all of them."""
    names = [gateway.station_name() for _ in range(stations)]
    spots = []
    for at, name in enumerate(names):
        for number in range(1, evses + 1):
            here = spot(name, ocpp, number)
            here.uid = f"E{at * evses + number}"
            spots.append(here)
    location = gateway.location(*spots)
    async with gateway.emsp() as emsp, AsyncExitStack() as stack:
        connected = [await stack.enter_async_context(a_station(gateway, name, ocpp, script)) for name in names]
        await eventually(lambda: all(gateway.rows("station", id=one)[0]["abilities"] is not None for one in names))
        yield emsp, connected, location


def place_in(order: dict) -> int | None:
    """1.6 connectorId, 2.x evseId."""
    return order["connectorId"] if "connectorId" in order else order.get("evseId")


# Which EVSE


@every_ocpp
async def test_a_named_evse_is_the_number_of_its_binding(gateway: Gateway, ocpp: str):
    async with a_site(gateway, ocpp) as (emsp, [station], location):
        assert await emsp.result(await emsp.reserve(location, "E3")) == "ACCEPTED"
        assert await emsp.result(await emsp.start_session(location, "e2")) == "ACCEPTED"
        station.script["UnlockConnector"] = {"status": "Unlocked"}
        assert await emsp.result(await emsp.unlock(location, "E2")) == "ACCEPTED"
        assert place_in(await station.asked_for("RESERVE_NOW")) == 3
        assert place_in(await station.asked_for("START_SESSION")) == 2
        unlock = await station.asked_for("UNLOCK_CONNECTOR")
        assert unlock == ({"connectorId": 2} if ocpp == "1.6" else {"evseId": 2, "connectorId": 1})


@every_ocpp
async def test_a_station_that_is_known_to_take_it_is_reserved_whole(gateway: Gateway, ocpp: str):
    async with a_site(gateway, ocpp, script=whole_station(ocpp, "true")) as (emsp, [station], location):
        told = await emsp.reserve(location, None)
        assert await emsp.result(told) == "ACCEPTED"
        order = await station.asked_for("RESERVE_NOW")
        assert place_in(order) == (0 if ocpp == "1.6" else None)
        await station.begin(
            token_in(order), evse=2, connector=2 if ocpp == "1.6" else 1, reservationId=number_in(order)
        )
        assert gateway.reservation_of(told)["state"] == "USED"
        assert (await emsp.sessions())[0]["evse_uid"] == "E2"


@every_ocpp
@pytest.mark.parametrize("ability", ["false", "unknown"])
async def test_else_a_free_evse_is_chosen_and_each_only_once(gateway: Gateway, ocpp: str, ability: str):
    script = {} if ability == "unknown" else whole_station(ocpp, ability)
    async with a_site(gateway, ocpp, script=script) as (emsp, [station], location):
        for number in range(3):
            assert await emsp.result(await emsp.reserve(location, None, id=f"R-{number}")) == "ACCEPTED"
        orders = station.all_asked("ReserveNow")
        assert sorted(place_in(order) for order in orders) == [1, 2, 3]
        assert await emsp.result(await emsp.cancel("R-1")) == "ACCEPTED"
        assert await emsp.result(await emsp.reserve(location, None, id="R-4")) == "ACCEPTED"
        assert place_in(await station.asked_for("RESERVE_NOW", 4)) == place_in(orders[1])
        # None is free: the first is asked, and the station's word counts.
        station.script["ReserveNow"] = {"status": "Occupied"}
        assert await emsp.result(await emsp.reserve(location, None, id="R-5")) == "EVSE_OCCUPIED"
        assert place_in(await station.asked_for("RESERVE_NOW", 5)) == 1


@pytest.mark.parametrize("ability", ["true", "false"])
async def test_of_several_stations_none_is_reserved_whole(gateway: Gateway, ability: str):
    script = whole_station("2.0.1", ability)
    async with a_site(gateway, "2.0.1", evses=1, stations=2, script=script) as (emsp, stations, location):
        for number in range(2):
            assert await emsp.result(await emsp.reserve(location, None, id=f"R-{number}")) == "ACCEPTED"
        assert [place_in(one.all_asked("ReserveNow")[0]) for one in stations] == [1, 1]


@every_ocpp
async def test_the_least_recently_used_free_evse_is_started_and_named_in_the_session(gateway: Gateway, ocpp: str):
    async with a_site(gateway, ocpp) as (emsp, [station], location):
        chosen = []
        for count in range(1, 5):
            assert await emsp.result(await emsp.start_session(location, None)) == "ACCEPTED"
            chosen.append(place_in(await station.asked_for("START_SESSION", count)))
        assert sorted(chosen[:3]) == [1, 2, 3]
        assert chosen[3] == chosen[0]
        await station.tell_status(
            "Charging" if ocpp == "1.6" else "Occupied", evse=chosen[1], connector=_at(ocpp, chosen[1])
        )
        assert await emsp.result(await emsp.start_session(location, None)) == "ACCEPTED"
        at = place_in(await station.asked_for("START_SESSION", 5))
        assert at == chosen[2]
        await station.begin(token_in(station.asked[-1][1]), evse=at, connector=_at(ocpp, at))
        assert [one["evse_uid"] for one in await emsp.sessions() if one["status"] == "ACTIVE"] == [f"E{at}"]


@every_ocpp
async def test_a_start_without_an_evse_goes_to_the_one_that_is_reserved_for_its_token(gateway: Gateway, ocpp: str):
    async with a_site(gateway, ocpp) as (emsp, [station], location):
        assert await emsp.result(await emsp.reserve(location, "E3")) == "ACCEPTED"
        assert await emsp.result(await emsp.start_session(location, None)) == "ACCEPTED"
        start = await station.asked_for("START_SESSION")
        assert place_in(start) == 3
        assert token_in(start) == token_in(await station.asked_for("RESERVE_NOW"))


def _at(ocpp: str, number: int) -> int:
    return number if ocpp == "1.6" else 1


# As whom


@every_ocpp
async def test_two_emsps_with_the_same_app_uid_are_two_tokens_at_the_station(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (one, station, location), gateway.emsp() as other:
        for emsp in (one, other):
            assert await emsp.result(await emsp.reserve(location)) == "ACCEPTED"
        assert await one.result(await one.start_session(location)) == "ACCEPTED"
        mine, foreign = (token_in(order) for order in station.all_asked("ReserveNow"))
        assert mine != foreign
        assert token_in(await station.asked_for("START_SESSION")) == mine
        assert all(re.fullmatch("[0-9A-F]{20}", alias) for alias in (mine, foreign))
        numbers = [number_in(order) for order in station.all_asked("ReserveNow")]
        assert len(set(numbers)) == 2
        await station.begin(mine)
        statuses = [[session["status"] for session in await emsp.sessions()] for emsp in (one, other)]
        assert statuses == [["ACTIVE"], ["RESERVATION"]]


@pytest.mark.parametrize(
    ("ocpp", "uid", "passes"),
    [
        *((ocpp, "04A1B2C3D4E5F6", True) for ocpp in OCPP),
        *((ocpp, "x" * 20, True) for ocpp in OCPP),
        ("1.6", "x" * 21, False),
        ("1.6", "x" * 36, False),
        ("2.0.1", "x" * 36, True),
        ("2.1", "x" * 36, True),
        *((ocpp, "not an identifier!", False) for ocpp in OCPP),
    ],
)
async def test_a_card_keeps_its_number_where_it_fits(gateway: Gateway, ocpp: str, uid: str, passes: bool):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        token = emsp.token_body(uid, "RFID")
        assert await emsp.result(await emsp.reserve(location, token=token)) == "ACCEPTED"
        assert await emsp.result(await emsp.start_session(location, token=token)) == "ACCEPTED"
        told = {token_in(await station.asked_for(one)) for one in ("RESERVE_NOW", "START_SESSION")}
        assert (told == {uid}) is passes
        assert len(told) == 1
        if not passes:
            assert re.fullmatch("[0-9A-F]{20}", *told)
        assert (await station.authorize(*told, type="ISO14443"))["status"] == "Accepted"


@pytest.mark.parametrize(
    ("kind", "uid", "type"),
    [
        ("RFID", "04A1B2C3", "ISO14443"),
        ("RFID", "E004015012345678", "ISO15693"),
        ("APP_USER", "somebody", "Central"),
        ("AD_HOC_USER", "somebody", "Central"),
        ("OTHER", "somebody", "Central"),
    ],
)
async def test_a_tokens_type_is_said_where_the_version_has_types(gateway: Gateway, kind: str, uid: str, type: str):
    async with a_place(gateway, "2.0.1") as (emsp, station, location):
        assert await emsp.result(await emsp.reserve(location, token=emsp.token_body(uid, kind))) == "ACCEPTED"
        assert (await station.asked_for("RESERVE_NOW"))["idToken"]["type"] == type


# In which numbers


async def test_numbers_are_never_used_again(gateway: Gateway):
    async with a_place(gateway, "1.6") as (emsp, station, location):
        for count in range(1, 4):
            assert await emsp.result(await emsp.reserve(location, id="Same")) == "ACCEPTED"
            assert await emsp.result(await emsp.cancel("Same")) == "ACCEPTED"
            await station.asked_for("CANCEL_RESERVATION", count)
        numbers = [number_in(order) for order in station.all_asked("ReserveNow")]
        assert numbers == sorted(set(numbers))
        assert all(0 < number < 2**31 for number in numbers)


@every_ocpp
async def test_remote_starts_have_numbers_of_their_own(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        for _ in range(3):
            assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        starts = station.all_asked(station.action("START_SESSION"))
        assert len({start.get("remoteStartId") for start in starts}) == (1 if ocpp == "1.6" else 3)
