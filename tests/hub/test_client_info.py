"""A hub tells which of its parties are there: who is away is sent nothing, and told honestly (mod_hub_client_info)."""

import asyncio

import pytest

from gateway import hub_parties
from gateway.office import Office
from gateway.paged import NotPulled
from gateway.simulators.emsp import SimulatedEmsp
from gateway.store import endpoints, partners
from ocpi.headers import Party
from tests.hub.conftest import ANNA, BERT, HUB, SECOND, Roaming
from tests.support.gateway import CPO, Gateway, eventually
from tests.support.hub import a_list, headers, routed

AWAY = ("OFFLINE", "PLANNED", "SUSPENDED")
DORA = Party("IT", "DRA")
LATER = "2026-02-01T00:00:00Z"


def place(party: Party, version: str = "2.2.1") -> str:
    return f"/ocpi/cpo/{version}/hubclientinfo/{party.country_code}/{party.party_id}"


def info(party: Party, status: str = "CONNECTED", **changes) -> dict:
    return {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "role": "EMSP",
        "status": status,
        "last_updated": LATER,
    } | changes


def callbacks(house: Gateway, told) -> list[dict]:
    return house.rows("callback", command=house.command_of(told)["id"])


@pytest.mark.parametrize("version", ["2.2", "2.2.1"])
async def test_rule_227_a_hub_puts_and_gets_what_it_tells_of_a_party(roaming: Roaming, version: str):
    told = await roaming.hub.ask("PUT", place(DORA, version), info(DORA))
    assert (told.http, told.code) == (201, 1000)
    told = await roaming.hub.get(place(DORA, version))
    assert (told.http, told.json["data"]) == (200, info(DORA))
    told = await roaming.hub.ask("PUT", place(DORA, version), info(DORA, "OFFLINE"))
    assert (told.http, told.code) == (200, 1000)
    assert (await roaming.hub.get(place(Party("it", "dRA"), version))).json["data"]["status"] == "OFFLINE"
    # A configuration module is not routed, and its answers are not either, whatever the question had.
    told = await roaming.hub.get(place(DORA, version), **headers(from_=HUB, to=CPO))
    assert [name for name in told.headers if name.lower().startswith("ocpi-")] == []
    for method in ("POST", "PATCH", "DELETE"):
        assert (await roaming.hub.ask(method, place(DORA, version), info(DORA))).http == 405


async def test_what_is_wrong_with_a_client_info_is_said(roaming: Roaming):
    for wrong, field in (
        (info(BERT), "party_id"),
        (info(DORA, "AWAY"), "status"),
        (info(DORA, role="DRIVER"), "role"),
        ({"status": "CONNECTED"}, "country_code"),
        ([], "body"),
    ):
        told = await roaming.hub.ask("PUT", place(DORA), wrong)
        assert (told.http, told.code) == (200, 2001)
        assert field in told.json["status_message"]
    assert (await roaming.hub.get(place(DORA))).http == 404
    # The specification's own example says nothing of when.
    unsaid = {name: value for name, value in info(DORA).items() if name != "last_updated"}
    assert (await roaming.hub.ask("PUT", place(DORA), unsaid)).http == 201


async def test_what_is_older_changes_nothing(roaming: Roaming):
    await roaming.told(ANNA, "OFFLINE", updated="2026-03-01T00:00:00Z")
    assert (await roaming.told(ANNA, "CONNECTED", updated="2026-02-28T00:00:00Z")).code == 1000
    assert (await roaming.hub.get(place(ANNA))).json["data"]["status"] == "OFFLINE"


async def test_the_module_is_for_hubs(house: Gateway):
    async with house.emsp() as emsp:
        assert (await emsp.ask("PUT", place(DORA), info(DORA))).http == 404
        assert (await emsp.get(place(DORA))).http == 404
        details = (await emsp.get("/ocpi/2.2.1")).json["data"]["endpoints"]
        assert "hubclientinfo" not in {one["identifier"] for one in details}


async def test_a_hub_is_shown_where_it_tells_of_its_parties(roaming: Roaming):
    details = (await roaming.hub.get("/ocpi/2.2.1")).json["data"]["endpoints"]
    [shown] = [(one["role"], one["url"]) for one in details if one["identifier"] == "hubclientinfo"]
    assert shown == ("RECEIVER", f"{roaming.hub.api}/ocpi/cpo/2.2.1/hubclientinfo")


async def test_a_party_that_no_hub_has_told_of_is_not_heard(roaming: Roaming):
    location = roaming.locations[CPO]
    token = roaming.hub.token_body(party=DORA)
    told = await roaming.hub.start_session(location, routing=DORA, token=token)
    assert (told.http, told.code) == (200, 2001)
    assert "OCPI-from-party-id" in told.json["status_message"]
    await roaming.told(DORA, "CONNECTED")
    told = await roaming.hub.start_session(location, routing=DORA, token=token)
    assert await roaming.hub.result(told) == "ACCEPTED"


async def test_a_hub_that_is_open_speaks_for_anybody(house: Gateway, roaming: Roaming):
    async with house.emsp(role="HUB", party=("NL", "OPN"), open_parties=True) as hub:
        told = await hub.unlock(roaming.locations[CPO], routing=DORA)
        assert await hub.result(told) == "ACCEPTED"
        # But not for one that it has taken back itself.
        assert (await hub.ask("PUT", place(DORA), info(DORA, "SUSPENDED"))).code == 1000
        told = await hub.unlock(roaming.locations[CPO], routing=DORA)
        assert (told.http, told.code) == (200, 2001)
        card = hub.token_body(uid="CARD-7", type="RFID", party=DORA)
        path = "/ocpi/cpo/2.2.1/tokens/IT/DRA/CARD-7?type=RFID"
        assert (await hub.ask("PUT", path, card, **headers(from_=DORA, to=CPO))).http == 404


async def test_a_party_that_was_taken_back_is_not_heard_any_more(roaming: Roaming):
    await roaming.told(ANNA, "SUSPENDED", updated=LATER)
    told = await roaming.anna.reserve(roaming.locations[CPO])
    assert (told.http, told.code) == (200, 2001)
    assert "suspended" in told.json["status_message"]
    told = await roaming.bert.reserve(roaming.locations[CPO])
    assert await roaming.bert.result(told) == "ACCEPTED"


@pytest.mark.parametrize("status", AWAY)
async def test_rule_226_a_result_for_a_party_that_is_away_is_given_up_at_once(roaming: Roaming, status: str):
    anna, station = roaming.anna, roaming.stations[CPO]
    asked, answer = asyncio.Event(), asyncio.Event()

    async def unlock(_station, _payload) -> dict:
        asked.set()
        await answer.wait()
        return {"status": "Unlocked"}

    station.script["UnlockConnector"] = unlock
    told = await anna.unlock(roaming.locations[CPO])
    await asked.wait()
    await roaming.told(ANNA, status, updated=LATER)
    before = roaming.hub.requests
    answer.set()
    await eventually(lambda: [one["state"] for one in callbacks(roaming.house, told)] == ["ABANDONED"])
    [owed] = callbacks(roaming.house, told)
    [attempt] = roaming.house.rows("callback_attempt", callback=owed["id"])
    assert (attempt["http_status"], attempt["error"]) == (None, f"The hub says that {ANNA} is {status}.")
    # Bert's goes its way, and nothing was said of Anna's.
    assert await roaming.bert.result(await roaming.bert.unlock(roaming.locations[CPO], "E2")) == "ACCEPTED"
    assert roaming.hub.requests == before + 1
    # An operator sends it when Anna is there again.
    await roaming.told(ANNA, "CONNECTED", updated="2026-02-02T00:00:00Z")
    done = await asyncio.to_thread(roaming.house.cli, "commands", "replay", str(roaming.house.command_of(told)["id"]))
    assert done.returncode == 0, done.stderr
    assert await anna.result(told) == "ACCEPTED"


@pytest.mark.parametrize("status", ["OFFLINE", "PLANNED"])
async def test_a_party_that_asks_us_something_is_there_whatever_its_hub_said(roaming: Roaming, status: str):
    await roaming.told(ANNA, status, updated=LATER)
    told = await roaming.anna.unlock(roaming.locations[CPO])
    assert await roaming.anna.result(told) == "ACCEPTED"
    # What the hub has told stays what the hub has told.
    assert (await roaming.hub.get(place(ANNA))).json["data"]["status"] == status
    await roaming.told(ANNA, status, updated="2026-02-02T00:00:00Z")  # and counts when it says so again
    told = await roaming.bert.unlock(roaming.locations[CPO], "E2")
    assert await roaming.bert.result(told) == "ACCEPTED"
    [row] = [
        one for one in roaming.house.rows("client_info", partner=roaming.hub.partner_id) if one["party_id"] == "ANN"
    ]
    assert row["told_at"] > row["heard_at"]


async def test_rule_226_sessions_of_a_party_that_is_away_are_not_pushed_and_go_on_when_it_is_back(roaming: Roaming):
    anna, bert, _ = roaming.all
    session, transaction = await roaming.charge(anna, 1)
    await roaming.hub.session_becomes(session, "ACTIVE")
    await roaming.told(ANNA, "OFFLINE", updated=LATER)
    before = len(anna.pushes)
    await roaming.stations[CPO].end(transaction)
    [row] = await eventually(lambda: _given_up(roaming, "sessions"))
    assert row["due_at"] is None  # and it is not kept for later
    berts, _ = await roaming.charge(bert, 2)
    await roaming.hub.session_becomes(berts, "ACTIVE")
    assert len(anna.pushes) == before
    # It asks when it is back; what happens from then on is pushed again.
    await roaming.told(ANNA, "CONNECTED", updated="2026-02-02T00:00:00Z")
    assert [one["status"] for one in await anna.pull("sessions")] == ["COMPLETED"]
    another, _ = await roaming.charge(anna, 3)
    await roaming.hub.session_becomes(another, "ACTIVE")


def _given_up(roaming: Roaming, module: str) -> list[dict]:
    rows = roaming.house.rows("push", partner=roaming.hub.partner_id, module=module)
    return [one for one in rows if one["error"] == f"The hub says that {ANNA} is OFFLINE."]


async def test_a_hub_that_wants_it_is_told_what_its_party_missed(roaming: Roaming):
    with roaming.house.database() as db:
        partners.change(db, roaming.hub.partner_id, keep_pushing=True)
    session, transaction = await roaming.charge(roaming.anna, 1)
    await roaming.hub.session_becomes(session, "ACTIVE")
    await roaming.told(ANNA, "OFFLINE", updated=LATER)
    await roaming.stations[CPO].end(transaction)
    await eventually(lambda: _given_up(roaming, "sessions") and _given_up(roaming, "cdrs"))
    await roaming.told(ANNA, "CONNECTED", updated="2026-02-02T00:00:00Z")
    await roaming.hub.session_becomes(session, "COMPLETED")
    assert (await roaming.hub.next_cdr())["session_id"] == session


@pytest.mark.parametrize(
    ("code", "reason"), [(4001, "does not know"), (4002, "did not answer"), (4003, "not connected")]
)
async def test_rule_70_what_a_hub_cannot_hand_on_is_final(roaming: Roaming, code: int, reason: str):
    roaming.hub.faults = SimulatedEmsp(faults=[f"ocpi={code}"]).faults
    told = await roaming.anna.unlock(roaming.locations[CPO])
    await eventually(lambda: [one["state"] for one in callbacks(roaming.house, told)] == ["ABANDONED"])
    [owed] = callbacks(roaming.house, told)
    [attempt] = roaming.house.rows("callback_attempt", callback=owed["id"])
    assert (attempt["ocpi_status"], reason in attempt["error"]) == (code, True)


async def test_a_session_that_a_hub_could_not_hand_on_is_told_whole_the_next_time(roaming: Roaming):
    session, transaction = await roaming.charge(roaming.anna, 1)
    await roaming.hub.session_becomes(session, "ACTIVE")
    roaming.hub.fail_next(1, 200, 4003)
    await roaming.stations[CPO].tell_status("Occupied", evse=1)
    before = len(roaming.anna.pushes)
    with roaming.house.database() as db:
        endpoints.remove(db, roaming.hub.partner_id, "cdrs", "RECEIVER")
    await roaming.stations[CPO].end(transaction)
    await eventually(lambda: len(roaming.anna.pushes) > before)
    await eventually(
        lambda: not any(one["held_until"] for one in roaming.house.rows("push", partner=roaming.hub.partner_id))
    )
    # No question and no second message follows: the hub has said that nobody is there.
    assert [one.method for one in roaming.anna.pushes[before:]] == ["PATCH"]
    assert {routed(one)[1] for one in roaming.anna.pushes} == {ANNA}


async def test_a_party_that_is_away_is_not_asked_about_its_cards(roaming: Roaming):
    """It cannot be reached, so that a card that may charge offline does (mod_tokens §WhitelistType)."""
    with roaming.house.database() as db:
        endpoints.put(db, roaming.hub.partner_id, "tokens", "SENDER", f"http://127.0.0.1:{roaming.hub.port}/no-tokens")
    path = "/ocpi/cpo/2.2.1/tokens/DE/ANN/04A1B2C3?type=RFID"
    card = roaming.anna.token(uid="04A1B2C3", type="RFID", whitelist="ALLOWED_OFFLINE")
    assert (await roaming.hub.ask("PUT", path, card, **headers(from_=ANNA, to=CPO))).code == 1000
    await roaming.told(ANNA, "OFFLINE", updated=LATER)
    before = roaming.hub.requests
    told = await roaming.stations[CPO].authorize("04A1B2C3", "ISO14443")
    assert (told["status"], roaming.hub.requests) == ("Accepted", before)
    await roaming.told(ANNA, "CONNECTED", updated="2026-02-02T00:00:00Z")
    card |= {"whitelist": "NEVER", "last_updated": LATER}
    assert (await roaming.hub.ask("PUT", path, card, **headers(from_=ANNA, to=CPO))).code == 1000
    told = await roaming.stations[SECOND].authorize("04A1B2C3", "ISO14443")
    assert (told["status"], roaming.hub.requests) == ("Invalid", before + 1)


# Pulled


async def test_all_parties_of_a_hub_are_pulled_page_by_page(roaming: Roaming):
    listed = [info(Party("IT", f"P{number:02d}"), "OFFLINE" if number % 2 else "CONNECTED") for number in range(5)]
    listed.append(info(DORA, "AWAY"))  # is not valid, and keeps no other from being taken
    office = Office.open(roaming.house.settings, "redis://127.0.0.1:1")
    try:
        async with a_list(listed, 2) as (url, asked):
            with roaming.house.database() as db:
                endpoints.put(db, roaming.hub.partner_id, "hubclientinfo", "SENDER", url)
                hub = partners.by_id(db, roaming.hub.partner_id)
            pulled = await hub_parties.pull(office, hub)
    finally:
        await office.close()
    assert (pulled.taken, pulled.skipped) == (5, 1)
    assert [one.query.get("offset") for one in asked] == ["0", "2", "4"]
    assert all(not name.lower().startswith("ocpi-") for one in asked for name in one.headers)
    for number in range(5):
        told = await roaming.hub.get(place(Party("IT", f"P{number:02d}")))
        assert told.json["data"] == listed[number]
    assert (await roaming.hub.get(place(DORA))).http == 404


async def test_a_hub_without_the_module_cannot_be_asked(roaming: Roaming):
    with roaming.house.database() as db:
        hub = partners.by_id(db, roaming.hub.partner_id)
    office = Office.open(roaming.house.settings, "redis://127.0.0.1:1")
    try:
        with pytest.raises(NotPulled, match="no HubClientInfo module"):
            await hub_parties.pull(office, hub)
    finally:
        await office.close()
