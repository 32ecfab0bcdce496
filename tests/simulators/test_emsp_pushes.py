"""The simulated eMSP's Sessions and CDRs modules."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
import pytest

from gateway.simulators.emsp import SimulatedEmsp
from ocpi.headers import Party

TOKEN = "token-out-1234"
PERIOD = {"start_date_time": "2026-03-01T12:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 1.5}]}
LATER = PERIOD | {"start_date_time": "2026-03-01T12:15:00Z"}
CDR_TOKEN = {"country_code": "DE", "party_id": "EMS", "uid": "U-1", "type": "RFID", "contract_id": "C-1"}
SESSION = {
    "country_code": "NL",
    "party_id": "CPO",
    "id": "S-1",
    "start_date_time": "2026-03-01T12:00:00Z",
    "kwh": 1.5,
    "cdr_token": CDR_TOKEN,
    "auth_method": "COMMAND",
    "location_id": "LOC-1",
    "evse_uid": "E1",
    "connector_id": "1",
    "currency": "EUR",
    "charging_periods": [PERIOD],
    "status": "ACTIVE",
    "last_updated": "2026-03-01T12:05:00Z",
}
CDR = {
    "country_code": "NL",
    "party_id": "CPO",
    "id": "CDR/1",
    "start_date_time": "2026-03-01T12:00:00Z",
    "end_date_time": "2026-03-01T13:00:00Z",
    "cdr_token": CDR_TOKEN,
    "auth_method": "COMMAND",
    "cdr_location": {
        "id": "LOC-1",
        "address": "Stationsplein 1",
        "city": "Utrecht",
        "country": "NLD",
        "coordinates": {"latitude": "52.08950", "longitude": "5.11020"},
        "evse_uid": "E1",
        "evse_id": "NL*CPO*E1",
        "connector_id": "1",
        "connector_standard": "IEC_62196_T2",
        "connector_format": "SOCKET",
        "connector_power_type": "AC_3_PHASE",
    },
    "currency": "EUR",
    "charging_periods": [PERIOD],
    "total_cost": {"excl_vat": 0.38},
    "total_energy": 1.5,
    "total_time": 1.0,
    "last_updated": "2026-03-01T13:00:00Z",
}
HERE = "NL/CPO/S-1"
_numbers = count(1)


@dataclass
class Cpo:
    """Somebody who tells it."""

    emsp: SimulatedEmsp
    http: aiohttp.ClientSession

    async def tells(
        self, method: str, url: str, body: Any = None, **headers: str | None
    ) -> tuple[int, dict[str, Any], str | None]:
        """HTTP status, envelope, Location."""
        sent = {
            "Authorization": "Token dG9rZW4tb3V0LTEyMzQ=",
            "Content-Type": "application/json",
            "X-Request-ID": f"r-{next(_numbers)}",
            "X-Correlation-ID": "c-1",
            "OCPI-from-country-code": "NL",
            "OCPI-from-party-id": "CPO",
            "OCPI-to-country-code": "DE",
            "OCPI-to-party-id": "EMS",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value is not None}
        async with self.http.request(method, url, json=body, headers=kept) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers.get("Location")

    async def session(self, method: str, body: Any = None, place: str = HERE, **more: Any) -> tuple[int, int]:
        """HTTP status and OCPI code."""
        version = more.pop("version", "2.2.1")
        status, said, _ = await self.tells(method, f"{self.emsp.endpoint('sessions', version)}/{place}", body, **more)
        return status, said["status_code"]

    async def cdr(self, body: Any, **more: Any) -> tuple[int, dict[str, Any], str | None]:
        return await self.tells("POST", self.emsp.endpoint("cdrs", more.pop("version", "2.2.1")), body, **more)

    @property
    def problems(self) -> tuple[str, ...]:
        """With the last push."""
        return self.emsp.receiver.pushes[-1].problems


@pytest.fixture
async def cpo() -> AsyncIterator[Cpo]:
    async with SimulatedEmsp(token=TOKEN) as emsp, aiohttp.ClientSession() as http:
        emsp.receiver.party = Party("DE", "EMS")
        yield Cpo(emsp, http)


async def test_a_session_is_put_shown_and_put_again(cpo: Cpo) -> None:
    assert await cpo.session("GET") == (404, 2000)
    assert await cpo.session("PUT", SESSION) == (201, 1000)
    assert await cpo.session("PUT", SESSION | {"kwh": 2}) == (200, 1000)
    _, said, _ = await cpo.tells("GET", f"{cpo.emsp.endpoint('sessions')}/{HERE}")
    assert said["data"] == SESSION | {"kwh": 2} == cpo.emsp.receiver.sessions["S-1"]
    assert [one.method for one in cpo.emsp.receiver.pushes] == ["GET", "PUT", "PUT", "GET"]
    assert {one.problems for one in cpo.emsp.receiver.pushes} == {()}


async def test_a_patch_replaces_fields_and_appends_periods(cpo: Cpo) -> None:
    await cpo.session("PUT", SESSION)
    later = "2026-03-01T12:15:00Z"
    assert await cpo.session("PATCH", {"kwh": 3, "charging_periods": [LATER], "last_updated": later}) == (200, 1000)
    expected = SESSION | {"kwh": 3, "charging_periods": [PERIOD, LATER], "last_updated": later}
    assert cpo.emsp.receiver.sessions["S-1"] == expected
    assert await cpo.session("PATCH", {"status": "COMPLETED", "last_updated": later}) == (200, 1000)
    assert cpo.emsp.receiver.sessions["S-1"] == expected | {"status": "COMPLETED"}


async def test_a_patch_of_what_it_does_not_know_is_an_ocpi_error(cpo: Cpo) -> None:
    assert await cpo.session("PATCH", {"kwh": 3, "last_updated": "2026-03-01T12:15:00Z"}) == (200, 2001)
    assert cpo.problems == ()
    assert cpo.emsp.receiver.sessions == {}


@pytest.mark.parametrize(
    ("method", "body", "problem"),
    [
        ("PUT", {name: value for name, value in SESSION.items() if name != "kwh"}, "kwh: Field required"),
        ("PUT", SESSION | {"total_cost": None}, "total_cost: None"),
        ("PUT", SESSION | {"charging_periods": []}, "charging_periods: []"),
        ("PUT", SESSION | {"colour": "red"}, "colour: 'red'"),
        ("PUT", SESSION | {"id": "S-2"}, "id is 'S-2'"),
        ("PUT", SESSION | {"party_id": "XXX"}, "party_id is 'XXX'"),
        ("PUT", SESSION | {"status": "RESERVED"}, "status: "),
        ("PUT", SESSION | {"last_updated": "2026-03-01T11:00:00Z"}, "last_updated goes backwards"),
        ("PUT", "ACTIVE", "the body: "),
        ("PATCH", {"kwh": 3}, "last_updated is missing"),
        ("PATCH", {"colour": "red", "last_updated": "2026-03-01T12:15:00Z"}, "colour is no field"),
        ("PATCH", {"kwh": "3", "last_updated": "2026-03-01T12:15:00Z"}, "kwh: "),
        ("PATCH", [], "the body is not a JSON object"),
    ],
)
async def test_what_is_no_session_is_held_against_the_sender_and_not_kept(
    cpo: Cpo, method: str, body: Any, problem: str
) -> None:
    await cpo.session("PUT", SESSION)
    assert await cpo.session(method, body) == (200, 2001)
    assert problem in cpo.problems[0]
    assert cpo.emsp.receiver.sessions == {"S-1": SESSION}


async def test_a_session_that_is_completed_does_not_change(cpo: Cpo) -> None:
    over = SESSION | {"status": "COMPLETED"}
    assert await cpo.session("PUT", over) == (201, 1000)
    assert await cpo.session("PUT", over) == (200, 1000)
    assert await cpo.session("PUT", over | {"kwh": 2}) == (200, 2001)
    assert cpo.problems == ("it was COMPLETED, and is changed",)


@pytest.mark.parametrize(
    ("header", "value", "problem"),
    [
        ("Authorization", None, "Authorization is missing"),
        ("Authorization", "Token eA==", "Authorization carries a wrong token"),
        ("X-Request-ID", None, "X-Request-ID is missing"),
        ("X-Correlation-ID", None, "X-Correlation-ID is missing"),
        ("OCPI-from-party-id", "XXX", "it is from NL*XXX, and not from NL*CPO"),
        ("OCPI-to-party-id", "XXX", "it is to DE*XXX, and not to DE*EMS"),
        ("OCPI-to-party-id", None, "OCPI-to-party-id is missing"),
    ],
)
async def test_wrong_headers_are_held_against_the_sender(
    cpo: Cpo, header: str, value: str | None, problem: str
) -> None:
    await cpo.session("PUT", SESSION, **{header: value})
    assert problem in cpo.problems
    await cpo.cdr(CDR, **{header: value})
    assert problem in cpo.problems


async def test_every_request_has_an_id_of_its_own(cpo: Cpo) -> None:
    await cpo.session("PUT", SESSION, X_Request_ID="again")
    await cpo.session("PUT", SESSION, X_Request_ID="again")
    assert cpo.problems == ("X-Request-ID is that of another request",)


async def test_each_version_is_judged_by_its_own_words(cpo: Cpo) -> None:
    older = {name: CDR_TOKEN[name] for name in ("uid", "type", "contract_id")}
    assert await cpo.session("PUT", SESSION | {"cdr_token": older}) == (200, 2001)
    assert await cpo.session("PUT", SESSION | {"cdr_token": older}, version="2.2") == (201, 1000)
    assert await cpo.session("PUT", SESSION, version="2.2") == (200, 2001)
    await cpo.cdr(CDR, version="2.2")
    assert cpo.problems
    async with cpo.http.put(f"{cpo.emsp.endpoint('sessions', '2.1.1')}/{HERE}") as answer:
        assert answer.status == 404


async def test_a_cdr_is_kept_where_the_answer_says(cpo: Cpo) -> None:
    status, said, where = await cpo.cdr(CDR)
    assert (status, said["status_code"], cpo.problems, cpo.emsp.receiver.cdrs) == (201, 1000, (), [CDR])
    assert where == f"{cpo.emsp.endpoint('cdrs')}/CDR%2F1"
    assert (await cpo.tells("GET", where))[1]["data"] == CDR
    assert (await cpo.tells("GET", f"{cpo.emsp.endpoint('cdrs')}/other"))[0] == 404


async def test_a_cdr_that_comes_again_is_the_same_one(cpo: Cpo) -> None:
    first, again = await cpo.cdr(CDR), await cpo.cdr(CDR)
    assert (first[0], again[0], first[2]) == (201, 200, again[2])
    assert cpo.emsp.receiver.cdrs == [CDR]
    await cpo.cdr(CDR | {"total_energy": 2})
    assert cpo.problems == ("it has the id of another CDR",)


@pytest.mark.parametrize("body", [CDR | {"charging_periods": []}, CDR | {"remark": None}, {}, None])
async def test_what_is_no_cdr_is_not_kept(cpo: Cpo, body: Any) -> None:
    status, said, where = await cpo.cdr(body)
    assert (status, said["status_code"], where) == (200, 2001, None)
    assert cpo.problems
    assert cpo.emsp.receiver.cdrs == []


async def test_it_fails_as_often_as_it_is_told(cpo: Cpo) -> None:
    mood = cpo.emsp.receiver.mood
    mood.failing, mood.status, mood.status_code = 2, 503, 3000
    assert [(await cpo.session("PUT", SESSION))[0] for _ in range(3)] == [503, 503, 201]
    assert {one.problems for one in cpo.emsp.receiver.pushes} == {()}


async def test_it_takes_a_push_and_never_answers(cpo: Cpo) -> None:
    cpo.emsp.receiver.mood.stalled = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cpo.session("PUT", SESSION), 0.2)
    assert (len(cpo.emsp.receiver.pushes), cpo.emsp.receiver.sessions) == (1, {})


async def test_an_answer_is_lost_after_the_cdr_was_taken(cpo: Cpo) -> None:
    cpo.emsp.receiver.mood.losing_answers = 1
    with pytest.raises(aiohttp.ClientError):
        await cpo.cdr(CDR)
    assert cpo.emsp.receiver.cdrs == [CDR]
    assert (await cpo.cdr(CDR))[0] == 200


async def test_a_location_may_be_hidden(cpo: Cpo) -> None:
    cpo.emsp.receiver.mood.hides_location = True
    assert (await cpo.cdr(CDR))[::2] == (201, None)
