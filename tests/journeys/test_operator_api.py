"""The operator API over HTTP at a gateway that runs: what it shows, what it has done, and whom it lets in."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from gateway.domain.ledger import CheckStatus
from gateway.house import utc_now
from gateway.simulators.emsp import SimulatedEmsp
from gateway.store import stations
from tests.journeys.test_callbacks import a_stumbling_place, ended
from tests.journeys.test_hard_cases import ACCEPTED, a_place, every_ocpp, spot
from tests.support.gateway import Gateway, eventually
from tests.support.office import office
from tests.support.operators import PREFIX, Operators
from tests.support.station import CallError, Reply, ScriptedStation, Silence, number_in, token_in

#: Enough for the station's answer, in every good case.
WAIT = 15


@pytest.fixture
async def operators(gateway: Gateway) -> AsyncIterator[Operators]:
    async with Operators(gateway) as opened:
        yield opened


def until(minutes: float = 45) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def wanted(location: str, **changes) -> dict:
    return {"location_id": location, "token": {"uid": "STAFF-7"}, "until": until()} | changes


# Reservations


@every_ocpp
async def test_the_cpo_reserves_an_evse_sees_it_and_cancels_it(gateway: Gateway, operators: Operators, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        made = await operators.post("/reservations", wanted(location, evse_uid="E1"), wait=WAIT)
        order = await station.asked_for("RESERVE_NOW")
        assert (made["state"], made["number"], made["status"]) == ("ACTIVE", number_in(order), "Accepted")

        listed = await operators.get("/reservations", station=station.id, state="ACTIVE")
        assert [(one["number"], one["partner"], one["holds_up"]) for one in listed["items"]] == [
            (made["number"], None, [1])
        ]
        whole = await operators.get(f"/reservations/{made['number']}")
        assert (whole["evse_uid"], whole["id_token"]) == ("E1", token_in(order))
        assert await emsp.result(await emsp.start_session(location)) == "EVSE_OCCUPIED"

        over = await operators.post(f"/reservations/{made['number']}/cancel", {"reason": "Not coming."}, wait=WAIT)
        assert (over["state"], over["result"]) == ("CANCELLED", "ACCEPTED")
        assert gateway.rows("callback", command=over["command"]) == []


@every_ocpp
async def test_the_whole_station_and_a_type_of_connector_are_reserved_without_an_evse(
    gateway: Gateway, operators: Operators, ocpp: str
):
    async with a_place(gateway, ocpp) as (_, station, location):
        made = await operators.post("/reservations", wanted(location), wait=WAIT)
        order = await station.asked_for("RESERVE_NOW")
        assert (made["state"], order.get("evseId"), order.get("connectorId", 0)) == ("ACTIVE", None, 0)
        over = await operators.post(f"/reservations/{made['number']}/cancel", {"reason": "No."}, wait=WAIT)
        assert over["state"] == "CANCELLED"
        typed = wanted(location, connector_type="sType2")
        if ocpp == "1.6":
            refused = await operators.post("/reservations", typed, 409)
            assert "reserves no type of connector" in refused["detail"]
            return
        assert (await operators.post("/reservations", typed, wait=WAIT))["state"] == "ACTIVE"
        order = await station.asked_for("RESERVE_NOW", 2)
        assert (order["connectorType"], "evseId" in order) == ("sType2", False)
        [listed] = (await operators.get("/reservations", station=station.id, state="ACTIVE"))["items"]
        assert (listed["connector_type"], listed["holds_up"]) == ("sType2", [1])


@every_ocpp
async def test_cancelling_tells_the_emsp_why_and_only_once(gateway: Gateway, operators: Operators, ocpp: str):
    async with a_place(gateway, ocpp) as (emsp, station, location):
        operators.secrets += [emsp.token_in, emsp.token]
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        number = number_in(await station.asked_for("RESERVE_NOW"))
        path = f"/reservations/{number}/cancel"
        over = await operators.post(path, {"reason": "The cable was stolen."}, wait=WAIT)
        assert (over["state"], over["number"], over["station"]) == ("CANCELLED", number, station.id)
        await eventually(lambda: emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"])
        [_, why] = [one.json for one in emsp.callbacks if one.name == told.name]
        assert why["message"] == [{"language": "en", "text": "The cable was stolen."}]
        again = await operators.post(path, {"reason": "Once more."}, 409)
        assert again["detail"] == f"Reservation {number} is over: it was cancelled."
        assert len(emsp.results(told)) == 2
        owner = (await operators.get(f"/reservations/{number}"))["partner"]
        assert owner["id"] == emsp.partner_id


async def test_without_waiting_an_order_is_promised_and_can_be_followed(gateway: Gateway, operators: Operators):
    held = asyncio.Event()

    async def think(station: ScriptedStation, order: dict) -> Reply:
        await held.wait()
        return ACCEPTED

    async with a_place(gateway, "2.0.1", {"ReserveNow": think}) as (_, station, location):
        answer = await operators.ask("POST", "/reservations", json=wanted(location, evse_uid="E1"))
        promised = answer.json()
        assert (answer.status_code, promised["state"], promised["result"]) == (202, "PENDING", None)
        assert answer.headers["Location"] == f"{PREFIX}/commands/{promised['command']}"
        await station.asked_for("RESERVE_NOW")
        path = answer.headers["Location"].removeprefix(PREFIX)
        assert (await operators.get(path))["state"] == "SENT"
        later = await operators.ask("POST", f"/reservations/{promised['number']}/cancel?wait=0.2", json={"reason": "x"})
        assert later.status_code == 202
        held.set()
        await eventually(lambda: not gateway.rows("command", station=station.id, state="SENT"))
        shown = await operators.get(path)
        assert (shown["state"], shown["result"]) == ("CONCLUDED", "ACCEPTED")
        assert [step["name"] for step in shown["timeline"]][:3] == ["received", "dispatched", "sent"]


async def test_an_offline_station_cancels_later_and_the_emsp_is_told_now(gateway: Gateway, operators: Operators):
    async with a_place(gateway, "2.0.1") as (emsp, station, location):
        told = await emsp.reserve(location)
        assert await emsp.result(told) == "ACCEPTED"
        number = number_in(await station.asked_for("RESERVE_NOW"))
        await station.disconnect()
        await eventually(lambda: gateway.rows("station", id=station.id)[0]["disconnected_at"])
        over = await operators.post(f"/reservations/{number}/cancel", {"reason": "Closed."}, wait=WAIT)
        assert (over["state"], over["ending"]) == ("UNKNOWN", "NOT_SENT")
        await eventually(lambda: emsp.results(told) == ["ACCEPTED", "CANCELED_RESERVATION"])
        refused = await operators.post("/reservations", wanted(location), 409)
        assert refused["detail"] == "The charging station is offline."
        assert (await operators.get(f"/stations/{station.id}"))["connected"] is False
        await station.connect()
        assert number_in(await station.asked_for("CANCEL_RESERVATION")) == number
        await gateway.reservation_becomes(told, "CANCELLED")
        assert len(emsp.results(told)) == 2


async def test_a_mute_station_is_waited_for_no_longer_than_it_may_take(hasty: Gateway):
    async with (
        Operators(hasty) as operators,
        a_place(hasty, "2.0.1", {"ReserveNow": Silence, "CancelReservation": Silence}) as (_, _, location),
    ):
        made = await operators.post("/reservations", wanted(location, evse_uid="E1"), wait=3600)
        assert (made["result"], made["ending"], made["state"]) == ("TIMEOUT", "NO_ANSWER", "UNKNOWN")


async def test_an_order_is_kept_for_the_sweeper_when_nobody_can_be_rung_for(tmp_path: Path, redis_url: str):
    async with office(tmp_path, redis_url, bell="redis://127.0.0.1:1/0") as desk:
        location = desk.gateway.location(spot("CS-1", "2.0.1"))
        with desk.gateway.database() as db:
            stations.change(db, "CS-1", subprotocol="ocpp2.0.1", connected_at=utc_now())
        async with Operators(desk.gateway, desk.client) as operators:
            made = await operators.post("/reservations", wanted(location, evse_uid="E1"), 202)
            assert (made["state"], made["result"]) == ("PENDING", None)
            assert (await operators.get(f"/commands/{made['command']}"))["state"] == "RECEIVED"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"until": until(0)}, "until"),
        ({"until": until(60 * 48)}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"location_id": "NOWHERE"}, "location_id"),
        ({"evse_uid": "E9"}, "evse_uid"),
        ({"evse_uid": "E1", "connector_type": "cType2"}, "connector_type"),
        ({"token": {"uid": "é"}}, "token"),
        ({"token": {"uid": "X", "type": "CARD"}}, "token.type"),
        ({"token": "X"}, "token"),
        ({"connector_type": "x" * 21}, "connector_type"),
        ({"evse": "E1"}, "evse"),
    ],
)
async def test_a_wish_that_is_wrong_in_itself_names_the_field(gateway: Gateway, operators: Operators, changes, field):
    async with a_place(gateway, "2.0.1") as (_, station, location):
        refused = await operators.post("/reservations", wanted(location, **changes), 400)
        assert refused["detail"].startswith(f"{field}: ")
        assert not station.all_asked("ReserveNow")


@pytest.mark.parametrize("reason", [None, "", "  ", "x" * 513, "two\nlines", 7])
async def test_a_reason_is_a_sentence_in_one_line(operators: Operators, reason):
    refused = await operators.post("/reservations/1/cancel", {"reason": reason}, 400)
    assert refused["detail"].startswith("reason: ")


# Stations


async def test_whether_a_token_may_use_an_evse_is_said_in_the_four_words(gateway: Gateway, operators: Operators):
    async with a_place(gateway, "2.0.1") as (_, station, location):
        path = f"/stations/{station.id}/reservation-check"
        assert await operators.get(path) == {"status": CheckStatus.NOT_RESERVED, "held_up": []}
        await operators.post(
            "/reservations", wanted(location, evse_uid="E1", token={"uid": "STAFF-7", "group": "FLEET"}), wait=WAIT
        )
        order = await station.asked_for("RESERVE_NOW")
        group = order["groupIdToken"]["idToken"]
        said = {
            "mine": await operators.get(path, evse=1, token=token_in(order)),
            "fleet": await operators.get(path, evse=1, token="OTHER", group=group),
            "other": await operators.get(path, evse=1, token="OTHER", group="NONE"),
            "any": await operators.get(path, evse=1),
        }
        assert {who: one["status"] for who, one in said.items()} == {
            "mine": CheckStatus.RESERVED_FOR_TOKEN,
            "fleet": CheckStatus.RESERVED_FOR_TOKEN,
            "other": CheckStatus.RESERVED_FOR_OTHER_TOKEN,
            "any": CheckStatus.RESERVED_FOR_OTHER_TOKEN_AND_HAS_PARENT_TOKEN,
        }


@every_ocpp
async def test_a_station_is_shown_with_what_it_told_and_the_charges_that_run_there(
    gateway: Gateway, operators: Operators, ocpp: str
):
    async with a_place(gateway, ocpp) as (_, station, location):
        await station.tell_status("Available")
        await station.begin("A-STRANGER")
        with gateway.database() as db:
            stations.change(db, station.id, password="0a$the-hash-of-a-password")
        whole = await operators.get(f"/stations/{station.id}")
        assert (whole["connected"], whole["subprotocol"]) == (True, station.subprotocol)
        assert [one["status"] for one in whole["connectors"]] == ["Available"]
        assert [(one["location_id"], one["evse_uid"]) for one in whole["bindings"]] == [(location, "E1")]
        [running] = whole["sessions"]
        assert (running["partner"], running["state"]) == (None, "ACTIVE")
        stranger = await operators.get(f"/sessions/{running['session_id']}")
        assert (stranger["told"], stranger["cdrs"]) == (None, [])
        listed = await operators.get("/stations", limit=200)
        assert station.id in [one["id"] for one in listed["items"]]


@pytest.mark.parametrize(
    ("ocpp", "variable"), [("1.6", "ReserveConnectorZeroSupported"), ("2.0.1", "ReservationCtrlr.NonEvseSpecific")]
)
async def test_a_variable_is_set_and_the_stations_no_is_told(gateway: Gateway, operators: Operators, ocpp, variable):
    async def take(station: ScriptedStation, order: dict) -> Reply:
        asked = order["setVariableData"][0]
        about = {"component": asked["component"], "variable": asked["variable"]}
        return {"setVariableResult": [{"attributeStatus": "Accepted", **about}]}

    script = {"SetVariables": take, "ChangeConfiguration": ACCEPTED}
    async with a_place(gateway, ocpp, script) as (_, station, _):
        await eventually(lambda: gateway.rows("station", id=station.id)[0]["abilities"] is not None)
        path = f"/stations/{station.id}/variables/{variable}"
        done = await operators.put(path, {"value": "true"}, wait=WAIT)
        assert (done["status"], done["result"], done["variable"]) == ("Accepted", "ACCEPTED", variable)
        assert (await operators.get(f"/stations/{station.id}"))["abilities"] == {variable: "true"}
        station.script |= {"SetVariables": CallError("NotSupported"), "ChangeConfiguration": {"status": "Rejected"}}
        refused = await operators.put(path, {"value": "false"}, wait=WAIT)
        assert refused["result"] in ("REJECTED", "NOT_SUPPORTED")
        assert (await operators.put(path, {"value": True}, 400))["detail"].startswith("value: ")


async def test_a_password_that_is_set_is_not_shown(gateway: Gateway, operators: Operators):
    async with a_place(gateway, "1.6", {"ChangeConfiguration": ACCEPTED}) as (_, station, _):
        operators.secrets.append("0123456789abcdef0123")
        path = f"/stations/{station.id}/variables/AuthorizationKey"
        done = await operators.put(path, {"value": "0123456789abcdef0123"}, wait=WAIT)
        assert (await station.was_asked("ChangeConfiguration"))["value"] == "0123456789abcdef0123"
        shown = await operators.get(f"/commands/{done['command']}")
        assert shown["order"]["value"] == "***"
        assert "value=***" in json.dumps(shown["timeline"])


async def test_what_is_not_there_is_404_and_who_is_away_is_409(gateway: Gateway, operators: Operators):
    for path in ("/stations/NONE", "/stations/NONE/reservation-check", "/reservations/2147483647", "/sessions/NONE"):
        assert (await operators.get(path, 404))["detail"].startswith("There is no ")
    for path in ("/cdrs/NONE", "/commands/9223372036854775807", "/nothing"):
        await operators.get(path, 404)
    for path in ("/cdrs/NONE/credit", "/reservations/2147483647/cancel"):
        await operators.post(path, {"reason": "x"}, 404)
    await operators.post("/commands/9223372036854775807/replay", status=404)
    await operators.put("/stations/NONE/variables/X", {"value": ""}, 404)
    name = gateway.station_name()
    gateway.location(spot(name, "1.6"))
    away = await operators.put(f"/stations/{name}/variables/X", {"value": ""}, 409)
    assert away["detail"] == f"Charging station {name} is offline."


# Commands and charges


async def test_an_abandoned_result_is_replayed(hasty: Gateway):
    async with Operators(hasty) as operators, a_stumbling_place(hasty, "500") as (emsp, _, location):
        operators.secrets += [emsp.token_in, emsp.token]
        told = await emsp.reserve(location)
        await ended(hasty, told, "ABANDONED")
        command = hasty.command_of(told)["id"]
        listed = await operators.get("/commands", partner=str(emsp.partner_id), state="CONCLUDED")
        assert [one["id"] for one in listed["items"]] == [command]
        [owed] = (await operators.get(f"/commands/{command}"))["callbacks"]
        assert (owed["state"], {one["http_status"] for one in owed["tries"]}) == ("ABANDONED", {500})
        emsp.faults = SimulatedEmsp().faults
        again = await operators.post(f"/commands/{command}/replay", status=202)
        assert again["callbacks"] == [owed["id"]]
        await eventually(lambda: hasty.rows("callback", id=owed["id"])[0]["state"] == "DELIVERED")
        refused = await operators.post(f"/commands/{command}/replay", status=409)
        assert refused["detail"] == f"Command {command} has no abandoned result."


async def test_a_charge_is_shown_from_its_session_to_its_cdr_and_taken_back(gateway: Gateway, operators: Operators):
    async with a_place(gateway, "1.6") as (emsp, station, location):
        operators.secrets += [emsp.token_in, emsp.token]
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        transaction = await station.begin(token_in(await station.asked_for("START_SESSION")))
        [running] = (await operators.get("/sessions", partner=str(emsp.partner_id), state="ACTIVE"))["items"]
        assert (running["station"], running["transaction_id"]) == (station.id, transaction)
        later = (utc_now() + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")
        await station.end(transaction, at=later)
        session = await operators.get(f"/sessions/{running['session_id']}")
        assert (session["state"], session["told"]["status"], session["kwh"]) == ("COMPLETED", "COMPLETED", 1.0)
        [listed] = (await operators.get("/cdrs", partner=str(emsp.partner_id)))["items"]
        assert [listed["id"]] == session["cdrs"]
        whole = await operators.get(f"/cdrs/{listed['id']}")
        assert whole["body"]["id"] == listed["id"]
        assert None not in whole["body"].values()

        path = f"/cdrs/{listed['id']}/credit"
        made = await operators.ask("POST", path, json={"reason": "The meter was wrong.", "again": True})
        assert made.status_code == 201
        credit = await operators.get(made.headers["Location"].removeprefix(PREFIX))
        assert (credit["credit_reference_id"], credit["body"]["remark"]) == (listed["id"], "The meter was wrong.")
        assert (await operators.get(f"/cdrs/{listed['id']}"))["credited_by"] == credit["id"]
        assert (await operators.get(f"/cdrs/{made.json()['again']}"))["credited_by"] is None
        assert "credited already" in (await operators.post(path, {"reason": "Twice."}, 409))["detail"]
        assert "Credit CDR" in (await operators.post(f"/cdrs/{credit['id']}/credit", {"reason": "x"}, 409))["detail"]


async def test_lists_are_read_page_by_page_while_they_grow(gateway: Gateway, operators: Operators):
    async with a_place(gateway, "2.0.1") as (emsp, _, location):
        for number in range(5):
            await emsp.result(await emsp.reserve(location, id=f"R-{number}"))
        query = {"partner": str(emsp.partner_id), "limit": 2}
        page = await operators.get("/commands", **query)
        seen = [one["id"] for one in page["items"]]
        await emsp.result(await emsp.reserve(location, id="R-5"))
        while page["next"] is not None:
            page = await operators.get("/commands", **query, after=page["next"])
            seen += [one["id"] for one in page["items"]]
        known = [row["id"] for row in gateway.rows("command", partner=emsp.partner_id)]
        assert seen == sorted(known[:5], reverse=True)
        for path in ("/reservations", "/sessions"):
            first = await operators.get(path, limit=1)
            second = await operators.get(path, limit=1, after=first["next"])
            assert first["items"] != second["items"] != []
    first = await operators.get("/stations", limit=1)
    second = await operators.get("/stations", limit=1, after=first["next"])
    assert first["items"][0]["id"] < second["items"][0]["id"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("after=x", "after"),
        ("after=99999999999999999999", "after"),
        ("state=GONE", "state"),
        ("partner=nobody", "partner"),
        ("partner=%00", "partner"),
    ],
)
async def test_a_query_that_makes_no_sense_names_the_parameter(operators: Operators, query: str, field: str):
    answer = await operators.ask("GET", f"/commands?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"{field}: ")


# Who may, and what is heard


async def test_only_the_operators_token_opens_it_and_it_opens_nothing_else(gateway: Gateway, operators: Operators):
    async with gateway.emsp() as emsp, httpx.AsyncClient(base_url=gateway.api) as client:
        token = operators.token
        wrong = ["", token, f"Token {token}", f"Basic {token}", "Bearer", "Bearer é", f"Bearer {token[:-1]}"]
        wrong += [f"Bearer {token}x", f"Bearer {emsp.token_in}", f"Token {emsp.token_in}"]
        for header in wrong:
            sent = {"Authorization": header.encode("latin-1")}
            answer = await client.get(f"{PREFIX}/commands", headers=sent)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), header
            operators.must_be_an_answer(answer)
        for method, path in (("GET", "/nothing"), ("POST", "/reservations"), ("OPTIONS", "/commands")):
            assert (await client.request(method, f"{PREFIX}{path}")).status_code == 401
        assert (await client.head(f"{PREFIX}/commands")).status_code == 401
        for scheme in ("Token", "Bearer"):
            for path in ("/ocpi/versions", "/ocpi/cpo/2.2.1/sessions?date_from=2020-01-01T00:00:00Z"):
                answer = await client.get(path, headers={"Authorization": f"{scheme} {token}"})
                assert answer.status_code == 401
        assert (await client.get(f"{PREFIX}/commands", headers={"Authorization": f"bearer {token}"})).status_code == 200
    assert token not in (gateway.data / "up.log").read_text()
    assert (gateway.data / "operator-token").stat().st_mode & 0o777 == 0o600


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"reason": "\\ud800"}', JSON, 400),
        (b'{"reason": "x"}', {"Content-Type": "text/plain"}, 400),
        (b"[" * 60_000, JSON, 400),
        (b'"' + b"x" * 70_000 + b'"', JSON, 413),
    ],
)
async def test_a_body_that_is_none_is_refused_clearly(operators: Operators, body: bytes, headers: dict, status: int):
    answer = await operators.ask("POST", "/reservations/1/cancel", content=body, headers=headers)
    assert answer.status_code == status, answer.text


async def test_an_endless_body_is_not_read(operators: Operators):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    answer = await operators.ask("POST", "/reservations/1/cancel", content=endless(), headers=JSON)
    assert answer.status_code == 413


async def test_other_methods_do_nothing(operators: Operators):
    for method in ("OPTIONS", "DELETE", "PATCH"):
        answer = await operators.ask(method, "/commands")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
