"""A result on its way to an eMSP that stumbles: tried again while that makes sense, recorded, and never told twice."""

import asyncio
import base64
import json
import re
from contextlib import asynccontextmanager
from datetime import timedelta

from gateway.simulators.emsp import SimulatedEmsp
from ocpi.headers import Encoding, Party
from tests.journeys.test_hard_cases import a_place, a_station, spot
from tests.support.emsp import Told
from tests.support.gateway import Gateway, eventually
from tests.support.station import Silence
from tests.support.together import together

PAUSES = 3  # of the hasty gateway: so many attempts after the first


@asynccontextmanager
async def a_stumbling_place(gateway: Gateway, *faults: str, **partner):
    """(eMSP, station, location); the eMSP answers callbacks with these faults."""
    name = gateway.station_name()
    location = gateway.location(spot(name, "2.0.1"))
    emsp = gateway.emsp(**partner)
    emsp.faults = SimulatedEmsp(faults=faults).faults
    async with emsp, a_station(gateway, name, "2.0.1") as station:
        yield emsp, station, location


def callback_of(gateway: Gateway, told: Told) -> dict:
    [one] = gateway.rows("callback", command=gateway.command_of(told)["id"])
    return one


def attempts_of(gateway: Gateway, told: Told) -> list[dict]:
    return gateway.rows("callback_attempt", callback=callback_of(gateway, told)["id"])


async def ended(gateway: Gateway, told: Told, state: str) -> list[dict]:
    """Wait until its callback is DELIVERED or ABANDONED; its attempts."""
    await eventually(lambda: gateway.rows("callback", command=gateway.command_of(told)["id"]))
    await eventually(lambda: callback_of(gateway, told)["state"] != "DUE")
    assert callback_of(gateway, told)["state"] == state
    return attempts_of(gateway, told)


def posts(emsp, told: Told) -> list:
    return [one for one in emsp.callbacks if one.name == told.name]


# What is tried again


#: A fault, and what is recorded of the attempt that met it: (HTTP status, OCPI status).
PASSING = {
    "first-n-500=2": (500, 3000),
    "status=429": (429, 3000),
    "status=503": (503, 3000),
    "ocpi=3000": (200, 3000),
    "ocpi=3001": (200, 3001),
    "close": (None, None),
    "never": (None, None),
}


async def test_a_result_is_tried_again_until_it_is_taken_and_then_never_more(hasty: Gateway):
    async def story(fault: str) -> None:
        async with a_stumbling_place(hasty, fault) as (emsp, _station, location):
            told = await emsp.reserve(location)
            # There is time for two that take all of theirs; a third would be late on a busy machine.
            await eventually(lambda: len(posts(emsp, told)) == (1 if fault == "never" else 2))
            if fault != "first-n-500=2":
                emsp.faults = SimulatedEmsp().faults  # well again
            attempts = await ended(hasty, told, "DELIVERED")
            assert len(posts(emsp, told)) == len(attempts) >= 2
            assert (attempts[0]["http_status"], attempts[0]["ocpi_status"]) == PASSING[fault]
            assert (attempts[-1]["http_status"], attempts[-1]["ocpi_status"]) == (200, 1000)
            assert set(emsp.results(told)) == {"ACCEPTED"}
            assert len({one.body for one in posts(emsp, told)}) == 1
            sent = [one.headers["X-Request-ID"] for one in posts(emsp, told)]
            assert sent == [one["request_id"] for one in attempts]
            assert len(set(sent)) == len(sent)
            assert all(one.problems == () for one in emsp.callbacks)
            # Longer than every pause: nothing follows what was taken.
            await asyncio.sleep(1.5)
            assert len(posts(emsp, told)) == len(attempts)

    await together(story, PASSING)


# What is final


#: What an answer makes of the callback, and what is recorded: (HTTP status, OCPI status).
FINAL = {
    "ocpi=2000": ("ABANDONED", 200, 2000),
    "ocpi=2001": ("ABANDONED", 200, 2001),
    "ocpi=4001": ("ABANDONED", 200, 4001),
    "status=400": ("ABANDONED", 400, 3000),
    "status=401": ("ABANDONED", 401, 3000),
    "status=404": ("ABANDONED", 404, 3000),
    "redirect": ("ABANDONED", 302, None),
    "wrong-envelope": ("DELIVERED", 200, None),
    "huge": ("DELIVERED", 200, None),
    "ocpi=1000": ("DELIVERED", 200, 1000),
    "ocpi=1999": ("DELIVERED", 200, 1999),
}


async def test_a_final_answer_ends_it_after_one_attempt(hasty: Gateway):
    async def story(fault: str) -> None:
        state, http, ocpi = FINAL[fault]
        async with a_stumbling_place(hasty, fault) as (emsp, _station, location):
            told = await emsp.reserve(location)
            [attempt] = await ended(hasty, told, state)
            assert (attempt["http_status"], attempt["ocpi_status"]) == (http, ocpi)
            await asyncio.sleep(1.5)  # longer than every pause
            assert emsp.results(told) == ["ACCEPTED"]
            assert len(emsp.callbacks) == 1  # a redirect is not followed

    await together(story, FINAL)


# Time


async def test_attempts_are_made_only_inside_the_promised_time_then_operators_see_it_and_replay(hasty: Gateway):
    async with a_stumbling_place(hasty, "500") as (emsp, _station, location):
        told = await emsp.reserve(location)
        attempts = await ended(hasty, told, "ABANDONED")
        command = hasty.command_of(told)
        assert len(posts(emsp, told)) == len(attempts) == PAUSES + 1
        assert all(one["at"] < command["promised_until"] for one in attempts)

        shown = json.loads(hasty.cli("commands", "show", str(command["id"]), "--json").stdout)
        [callback] = shown["callbacks"]
        assert (callback["state"], callback["result"]) == ("ABANDONED", "ACCEPTED")
        assert [one["http_status"] for one in callback["tries"]] == [500] * len(attempts)

        emsp.faults = SimulatedEmsp().faults
        replayed = await asyncio.to_thread(hasty.cli, "commands", "replay", str(command["id"]))
        assert replayed.returncode == 0, replayed.stderr
        await eventually(lambda: callback_of(hasty, told)["state"] == "DELIVERED")
        assert len(posts(emsp, told)) == len(attempts) + 1
        assert set(emsp.results(told)) == {"ACCEPTED"}
        assert hasty.cli("commands", "replay", str(command["id"])).returncode != 0


async def test_no_attempt_outlives_the_promise(hasty: Gateway):
    """The station takes all of its time, the eMSP all that is left, and neither gets more."""
    async with a_stumbling_place(hasty, "never") as (emsp, station, location):
        station.script["ReserveNow"] = Silence
        told = await emsp.reserve(location)
        attempts = await ended(hasty, told, "ABANDONED")
        command = hasty.command_of(told)
        assert set(emsp.results(told)) == {"TIMEOUT"}
        assert 1 < len(posts(emsp, told)) == len(attempts)
        for one in attempts:  # by the time that each was given: it ends a little later on a busy machine
            limit = float(re.fullmatch(r"No complete answer within (\S+) seconds\.", one["error"])[1])
            assert limit <= 2
            assert one["at"] + timedelta(seconds=limit) <= command["promised_until"] + timedelta(milliseconds=1)


async def test_a_slow_emsp_does_not_hold_up_anothers_results(gateway: Gateway):
    async with a_stumbling_place(gateway, "slow=20") as (slow, _station, location), a_place(gateway, "2.0.1") as other:
        waiting = [await slow.reserve(location, id=f"R-{number}") for number in range(5)]
        await eventually(lambda: len(slow.callbacks) == 5)
        emsp, _, elsewhere = other
        for number in range(10):
            assert await emsp.result(await emsp.reserve(elsewhere, id=f"R-{number}")) == "ACCEPTED"
        assert {callback_of(gateway, one)["state"] for one in waiting} == {"DUE"}
        assert not any(attempts_of(gateway, one) for one in waiting)


# With which credentials, to whom


async def test_a_result_carries_the_credentials_and_the_ends_of_its_connection(gateway: Gateway):
    async with a_place(gateway, "1.6") as (emsp, _station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        headers = emsp.callback_of(told).headers
        assert headers["Authorization"] == f"Token {base64.b64encode(emsp.token.encode()).decode()}"
        assert headers["X-Request-ID"] != told.name
        assert (headers["OCPI-from-country-code"], headers["OCPI-from-party-id"]) == ("NL", "CPO")
        to = headers["OCPI-to-country-code"], headers["OCPI-to-party-id"]
        assert to == (emsp.party.country_code, emsp.party.party_id)


async def test_a_partner_that_wants_its_token_raw_gets_it_raw(gateway: Gateway):
    async with a_stumbling_place(gateway, encoding=Encoding.RAW) as (emsp, _station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        assert emsp.callback_of(told).headers["Authorization"] == f"Token {emsp.token}"


async def test_a_hubs_results_go_to_the_hub_and_name_the_emsp(gateway: Gateway):
    async with a_stumbling_place(gateway, role="HUB", party=("DE", "HUB")) as (hub, _station, location):
        told = {}
        for party in (Party("FR", "ABC"), Party("IT", "XYZ")):
            token = hub.token_body(party=party)
            told[party] = await hub.reserve(location, token=token, routing=party)
            assert await hub.result(told[party]) == "ACCEPTED"
        for party, one in told.items():
            headers = hub.callback_of(one).headers
            assert (headers["OCPI-to-country-code"], headers["OCPI-to-party-id"]) == (
                party.country_code,
                party.party_id,
            )
        # Both chose the same reservation_id, and each has its own.
        assert len({gateway.reservation_of(one)["number"] for one in told.values()}) == 2
        foreign = await hub.cancel("R-1", routing=Party("ES", "NON"))
        assert (foreign.result, foreign.text) == ("REJECTED", "Unknown reservation.")
