"""The CPO's own hand at a gateway that runs: operators' commands, real stations' answers, real callbacks."""

import asyncio
import json

import pytest

from tests.cli.conftest import Operator, application
from tests.journeys.test_hard_cases import ACCEPTED, OCPP, REJECTED, a_place, every_ocpp
from tests.support.gateway import Gateway, eventually
from tests.support.gateway import running as running_gateway
from tests.support.station import CallError, Reply, ScriptedStation, number_in, token_in


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory):
    """A gateway that looks often for what operators have written down."""
    often = {"GATEWAY_SWEEP_INTERVAL": "0.2", "GATEWAY_RING_AGAIN": "0.1"}
    with running_gateway(tmp_path_factory.mktemp("operated"), **often) as started:
        yield started


async def cli(gateway: Gateway, *words: str, code: int = 0) -> str:
    """What an operator's command says."""
    done = await asyncio.to_thread(Operator(url="", data=gateway.data, app=application()), *words)
    assert done.exit_code == code, done.output
    return done.output


async def sees(gateway: Gateway, *words: str, code: int = 0):
    return json.loads(await cli(gateway, *words, "--json", code=code))


@every_ocpp
async def test_the_cpo_cancels_and_the_emsp_is_told_why(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        number = number_in(await station.asked_for("RESERVE_NOW"))
        said = await sees(gateway, "reservations", "cancel", str(number), "--reason", "The cable was stolen.")
        assert (said["status"], said["state"], said["number"]) == ("Accepted", "CANCELLED", number)
        assert number_in(await station.asked_for("CANCEL_RESERVATION")) == number
        await eventually(lambda: emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"])
        [_, why] = [one.json for one in emsp.callbacks if one.name == told.name]
        assert why["message"] == [{"language": "en", "text": "The cable was stolen."}]
        [session] = gateway.rows("session", reservation=gateway.reservation_of(told)["id"])
        assert session["state"] == "COMPLETED"
        again = await cli(gateway, "reservations", "cancel", str(number), "--reason", "Once more.", code=1)
        assert again == f"Reservation {number} is over: it was cancelled.\n"


async def test_a_station_that_does_not_know_it_and_one_that_is_offline_change_nothing_for_the_emsp(gateway: Gateway):
    for away in (False, True):
        async with a_place(gateway, "2.0.1", {"CancelReservation": REJECTED}) as (emsp, station, location):
            told = await emsp.reserve(location)
            assert await emsp.result(told) == "ACCEPTED"
            number = number_in(await station.asked_for("RESERVE_NOW"))
            if away:
                await station.disconnect()
                await eventually(lambda name=station.id: gateway.rows("station", id=name)[0]["disconnected_at"])
            said = await sees(gateway, "reservations", "cancel", str(number), "--reason", "Closed.")
            assert said["state"] == ("UNKNOWN" if away else "REMOVED")
            await eventually(lambda one=told, of=emsp: of.results(one) == ["ACCEPTED", "CANCELED_RESERVATION"])
            if away:
                await station.connect()
                assert number_in(await station.asked_for("CANCEL_RESERVATION")) == number
                await gateway.reservation_becomes(told, "CANCELLED")
                assert len(emsp.results(told)) == 2


async def test_a_reservation_used_while_it_is_cancelled_is_told_to_the_operator_alone(gateway: Gateway):
    async def use_it_first(station: ScriptedStation, order: dict) -> Reply:
        await station.begin(token_in(station.all_asked("ReserveNow")[0]), reservationId=number_in(order))
        return REJECTED

    async with a_place(gateway, "1.6", {"CancelReservation": use_it_first}) as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        number = number_in(await station.asked_for("RESERVE_NOW"))
        said = await cli(gateway, "reservations", "cancel", str(number), "--reason", "Closed.", code=1)
        assert f"Reservation {number} was used meanwhile" in said
        assert len(gateway.rows("callback", command=gateway.command_of(told)["id"])) == 1


@every_ocpp
async def test_the_cpo_reserves_lists_checks_and_cancels_its_own(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        words = ("--location", location, "--evse", "E1", "--token", "STAFF-7", "--until", "PT45M")
        made = await sees(gateway, "reservations", "make", *words)
        order = await station.asked_for("RESERVE_NOW")
        assert (made["state"], made["number"]) == ("ACTIVE", number_in(order))
        [listed] = await sees(gateway, "reservations", "list", "--station", station.id, "--state", "active")
        assert (listed["partner"], listed["evse_uid"], listed["holds_up"]) == (None, "E1", [1])
        mine = await cli(gateway, "reservations", "check", station.id, "--evse", "1", "--token", token_in(order))
        others = await cli(gateway, "reservations", "check", station.id, "--evse", "1", "--token", "SOMEBODY")
        assert (mine, others) == ("ReservedForToken\n", "ReservedForOtherToken\n")
        assert await emsp.result(await emsp.start_session(location)) == "EVSE_OCCUPIED"
        said = await cli(gateway, "reservations", "cancel", str(made["number"]), "--reason", "Not coming.")
        assert said == f"{station.id} answered Accepted. Reservation {made['number']} is CANCELLED.\n"
        assert gateway.rows("callback", command=gateway.rows("command", station=station.id)[0]["id"]) == []


async def test_a_type_of_connector_is_reserved_without_an_evse_where_the_version_can_say_it(gateway: Gateway):
    for ocpp in OCPP:
        async with a_place(gateway, ocpp) as (_, station, location):
            words = ("--location", location, "--connector-type", "sType2", "--token", "STAFF-7", "--until", "PT45M")
            if ocpp == "1.6":
                said = await cli(gateway, "reservations", "make", *words, code=1)
                assert "reserves no type of connector" in said
                continue
            await sees(gateway, "reservations", "make", *words)
            order = await station.asked_for("RESERVE_NOW")
            assert order["connectorType"] == "sType2"
            assert "evseId" not in order
            [listed] = await sees(gateway, "reservations", "list", "--station", station.id)
            assert listed["holds_up"] == [1]
            check = ("reservations", "check", station.id, "--connector-type", "sType2")
            assert await cli(gateway, *check) == "ReservedForOtherToken\n"


@pytest.mark.parametrize(
    ("ocpp", "variable", "script"),
    [
        ("1.6", "ReserveConnectorZeroSupported", {"ChangeConfiguration": ACCEPTED}),
        ("2.0.1", "ReservationCtrlr.NonEvseSpecific", {}),
    ],
)
async def test_a_variable_is_set_and_its_ability_known_at_once(gateway: Gateway, ocpp, variable, script):
    async def take(station: ScriptedStation, order: dict) -> Reply:
        asked = order["setVariableData"][0]
        about = {"component": asked["component"], "variable": asked["variable"]}
        return {"setVariableResult": [{"attributeStatus": "Accepted", **about}]}

    async with a_place(gateway, ocpp, {"SetVariables": take} | script) as (_, station, _):
        await eventually(lambda: gateway.rows("station", id=station.id)[0]["abilities"] is not None)
        assert "answered Accepted" in await cli(gateway, "stations", "set", station.id, variable, "true")
        assert gateway.rows("station", id=station.id)[0]["abilities"] == {variable: "true"}
        station.script |= {"SetVariables": CallError("NotSupported"), "ChangeConfiguration": {"status": "Rejected"}}
        refused = await sees(gateway, "stations", "set", station.id, variable, "false", code=1)
        assert refused["result"] in ("REJECTED", "NOT_SUPPORTED")
        assert gateway.rows("station", id=station.id)[0]["abilities"] == {variable: "true"}


@every_ocpp
async def test_a_station_that_thinks_it_was_not_accepted_is_asked_for_its_boot(gateway: Gateway, ocpp: str):
    async with a_place(gateway, ocpp, {"ReserveNow": CallError("SecurityError")}) as (emsp, station, location):
        assert await emsp.result(await emsp.reserve(location)) == "FAILED"
        assert (await station.was_asked("TriggerMessage"))["requestedMessage"] == "BootNotification"
        assert await emsp.result(await emsp.reserve(location, id="R-2")) == "FAILED"
        await eventually(lambda: not gateway.rows("command", station=station.id, result=None))
        assert len(station.all_asked("TriggerMessage")) == 1
