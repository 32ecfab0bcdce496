"""Partners that want to hear of Locations are told what changed at those that they see (mod_locations §Flow)."""

import asyncio

from tests.journeys.test_hard_cases import a_station, every_ocpp, spot
from tests.support.gateway import Gateway, eventually
from tests.support.station import ScriptedStation, token_in


def said(emsp) -> list[tuple[str, str]]:
    """(method, what is below the Location's party) of every message about Locations."""
    return [(one.method, one.path.partition("/NL/CPO/")[2]) for one in emsp.place_pushes]


@every_ocpp
async def test_an_evse_is_told_as_it_is_reserved_used_and_broken(hasty: Gateway, ocpp: str):
    name = hasty.station_name()
    location = hasty.location(spot(name, ocpp))
    async with hasty.emsp() as emsp, a_station(hasty, name, ocpp) as station:
        hasty.shows(emsp, location)
        assert await emsp.result(await emsp.reserve(location)) == "ACCEPTED"
        await emsp.evse_becomes(location, "RESERVED")
        assert await emsp.result(await emsp.cancel()) == "ACCEPTED"
        await emsp.evse_becomes(location, "AVAILABLE")
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        transaction = await station.begin(token_in(await station.asked_for("START_SESSION")))
        await emsp.evse_becomes(location, "CHARGING")
        await station.end(transaction)
        await emsp.evse_becomes(location, "AVAILABLE")
        await station.tell_status("Faulted")
        broken = await emsp.evse_becomes(location, "OUTOFORDER")
        # Its first message is the Location; each other one what has changed, and when.
        assert said(emsp) == [("PUT", location), *[("PATCH", f"{location}/E1")] * 4]
        assert all(one.json.keys() == {"status", "last_updated"} for one in emsp.place_pushes[1:])
        [pulled] = await emsp.locations()
        assert pulled == emsp.places_pushed[location]
        assert pulled["evses"][0]["last_updated"] == pulled["last_updated"] == broken["last_updated"]


async def test_where_a_station_does_not_come_back_nothing_is_known(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"))
    async with hasty.emsp() as emsp:
        hasty.shows(emsp, location)
        async with a_station(hasty, name, "2.0.1") as station:
            await station.tell_status("Occupied")
            await emsp.evse_becomes(location, "CHARGING")
        await emsp.evse_becomes(location, "UNKNOWN")
        async with a_station(hasty, name, "2.0.1"):
            await emsp.evse_becomes(location, "CHARGING")  # as it told last


async def test_a_station_that_comes_back_soon_was_not_gone(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"))
    async with hasty.emsp() as emsp, a_station(hasty, name, "2.0.1") as station:
        hasty.shows(emsp, location)
        await station.tell_status("Occupied")
        await emsp.evse_becomes(location, "CHARGING")
        await station.reconnect()
        await eventually(lambda: hasty.rows("station", id=name)[0]["disconnected_at"] is None)
        await asyncio.sleep(1.5)
        await station.tell_status("Available")
        await emsp.evse_becomes(location, "AVAILABLE")
        assert said(emsp) == [("PUT", location), ("PATCH", f"{location}/E1")]


async def test_a_slow_partner_is_told_the_last_of_what_it_missed(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"))
    async with hasty.emsp() as emsp, a_station(hasty, name, "2.0.1") as station:
        hasty.shows(emsp, location)
        await station.tell_status("Occupied")
        await emsp.evse_becomes(location, "CHARGING")
        emsp.stall()
        await station.tell_status("Available")
        await eventually(lambda: len(emsp.place_pushes) == 2)
        for status in ("Faulted", "Unavailable", "Occupied", "Faulted", "Unavailable"):
            await station.tell_status(status)
        emsp.stall(False)
        await emsp.evse_becomes(location, "INOPERATIVE")
        # The answer to the PATCH never came, so that what it has is in doubt: it gets all of it.
        assert said(emsp)[-1] == ("PUT", location)
        assert "OUTOFORDER" not in {one.json.get("status") for one in emsp.place_pushes}


async def test_a_partner_that_lost_a_location_is_asked_and_given_it_again(hasty: Gateway):
    name = hasty.station_name()
    location = hasty.location(spot(name, "2.0.1"))
    async with hasty.emsp() as emsp, a_station(hasty, name, "2.0.1") as station:
        hasty.shows(emsp, location)
        await station.tell_status("Occupied")
        await emsp.evse_becomes(location, "CHARGING")
        del emsp.places_pushed[location]
        await station.tell_status("Available")
        await emsp.evse_becomes(location, "AVAILABLE")
        assert said(emsp)[1:] == [("PATCH", f"{location}/E1"), ("GET", location), ("PUT", location)]


async def test_where_many_evses_change_at_once_the_whole_location_is_told(hasty: Gateway):
    names = [hasty.station_name() for _ in range(7)]
    spots = [spot(name, "2.0.1") for name in names]
    for number, each in enumerate(spots, start=1):
        each.uid = f"E{number}"
    location = hasty.location(*spots)
    async with hasty.emsp() as emsp, asyncio.TaskGroup() as group:
        hasty.shows(emsp, location)
        stations = [ScriptedStation(hasty.ocpp, name, "2.0.1") for name in names]
        for station in stations:
            await station.connect()
            await station.boot()
        await stations[0].tell_status("Occupied")
        await emsp.evse_becomes(location, "CHARGING", "E1")
        emsp.stall()
        await stations[0].tell_status("Available")
        await eventually(lambda: len(emsp.place_pushes) == 2)
        for station in stations:
            await station.tell_status("Faulted")
        emsp.stall(False)
        for number in range(1, 8):
            await emsp.evse_becomes(location, "OUTOFORDER", f"E{number}")
        assert {one for one in said(emsp)[1:] if one[0] == "PUT"} == {("PUT", location)}
        for station in stations:
            group.create_task(station.disconnect())


async def test_a_partner_is_not_told_of_what_it_does_not_see(hasty: Gateway):
    name = hasty.station_name()
    hidden, shown = hasty.location(spot(name, "2.0.1")), hasty.location(spot(name, "2.0.1", 2))
    async with hasty.emsp() as emsp, a_station(hasty, name, "2.0.1") as station:
        hasty.shows(emsp, shown)
        await station.tell_status("Occupied", evse=1)
        await station.tell_status("Occupied", evse=2)
        await emsp.evse_becomes(shown, "CHARGING", "E2")
        assert {one.path.partition("/NL/CPO/")[2].partition("/")[0] for one in emsp.place_pushes} == {shown}
        assert [one["id"] for one in await emsp.locations()] == [shown]
        told = await emsp.get(f"/ocpi/cpo/2.2.1/locations/{hidden}")
        assert (told.http, told.code) == (404, 2000)
        for refused in (await emsp.start_session(hidden), await emsp.reserve(hidden), await emsp.unlock(hidden)):
            assert (refused.http, refused.code, refused.result) == (200, 2003, "REJECTED")
