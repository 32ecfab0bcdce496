"""Where results may be posted: a response_url that we would not call is refused before any station is asked."""

import pytest
from sqlalchemy import update

from gateway.store import rows
from tests.support.emsp import moment
from tests.support.gateway import Gateway, eventually, running
from tests.support.office import office
from tests.support.scene import scene

#: A public address, which nobody calls here: a command for an unknown Location goes no further.
PUBLIC = "93.184.216.34"
REGISTERED = ("emsp.invalid", "localhost", "127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", PUBLIC)


@pytest.fixture
async def strict(tmp_path, redis_url):
    """An application that calls no private address; (desk, eMSP)."""
    async with office(tmp_path, redis_url) as desk:
        yield desk, desk.gateway.emsp(callback_hosts=REGISTERED)


@pytest.fixture
async def private(tmp_path, redis_url):
    """One that may call private addresses, and by http; (desk, eMSP)."""
    async with office(tmp_path, redis_url, allow_private_callbacks=True) as desk:
        yield desk, desk.gateway.emsp(callback_hosts=REGISTERED)


async def reserve(place, url: str, **headers: str) -> dict:
    desk, emsp = place
    desk.gateway.cpo()
    body = {
        "response_url": url,
        "token": emsp.token_body(),
        "expiry_date": moment(hours=1),
        "reservation_id": "R-1",
        "location_id": "NOPE",
    }
    return await desk.post("RESERVE_NOW", body, emsp.token_in, **headers)


def must_be_refused(place, told: dict) -> None:
    assert told["status_code"] == 1000
    assert (told["data"]["result"], told["data"]["timeout"]) == ("REJECTED", 0)
    assert told["data"]["message"][0]["text"].startswith("response_url is refused: ")
    (row,) = place[0].gateway.rows("command")
    assert (row["state"], row["response"], row["station"]) == ("CONCLUDED", "REJECTED", None)
    assert place[0].gateway.rows("callback") == []


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.invalid/cb",  # a host that is not registered
        "https://emsp.invalid.elsewhere.invalid/cb",
        "https://xemsp.invalid/cb",
        "https://emsp.invalid@elsewhere.invalid/cb",  # a user name that looks like a registered host
        "https://elsewhere.invalid:443@emsp.invalid/cb",
        "https://user:secret@emsp.invalid/cb",
        "https://emsp.invalid\\@elsewhere.invalid/cb",
        "https://emsp.invalid/cb#fragment",
        "http://emsp.invalid/cb",  # http where private addresses are not allowed
        "http://93.184.216.34/cb",
        "ftp://emsp.invalid/cb",
        "file:///etc/passwd",
        "gopher://emsp.invalid/cb",
        "javascript:alert(1)",
        "//emsp.invalid/cb",
        "emsp.invalid/cb",
        "https:///cb",
        "https://emsp.invalid:0/cb",
        "https://emsp.invalid:99999/cb",
        "https://127.0.0.1/cb",  # registered, and still private
        "https://10.1.2.3/cb",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/cb",
        "https://[::ffff:127.0.0.1]/cb",
        "https://2130706433/cb",
        "https://0x7f.1/cb",
        "https://127.1/cb",
        "https://localhost/cb",  # a name that leads inside
        "https://LOCALHOST:8443/cb",
    ],
)
async def test_a_url_that_we_would_not_call_is_rejected(strict, url):
    must_be_refused(strict, await reserve(strict, url))


@pytest.mark.parametrize(
    "url",
    [
        f"https://{PUBLIC}/cb",
        f"https://{PUBLIC}:8443/cb?command=1&more=%20",
        "https://EMSP.invalid/cb",  # hosts have no case; a name that is not known yet is no reason to refuse
    ],
)
async def test_a_registered_public_url_is_not_what_is_refused(strict, url):
    assert (await reserve(strict, url))["status_code"] == 2003


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/cb", "http://localhost:8080/cb", "https://10.1.2.3/cb"])
async def test_private_urls_are_allowed_by_setting_for_registered_hosts(private, url):
    assert (await reserve(private, url))["status_code"] == 2003


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2/cb",
        "http://10.1.2.4/cb",
        "http://[::ffff:10.1.2.3]/cb",
        "https://169.254.169.254/latest",  # never, whatever the settings say
        "http://user@127.0.0.1/cb",
        "ftp://127.0.0.1/cb",
    ],
)
async def test_the_setting_opens_registered_hosts_only(private, url):
    must_be_refused(private, await reserve(private, url))


async def test_a_connection_without_registered_hosts_is_called_nowhere(tmp_path, redis_url):
    async with office(tmp_path, redis_url, allow_private_callbacks=True) as desk:
        emsp = desk.gateway.emsp(callback_hosts=())
        must_be_refused((desk, emsp), await reserve((desk, emsp), "http://127.0.0.1/cb"))


async def test_255_characters_are_taken_and_one_more_is_an_invalid_field(strict):
    start = f"https://{PUBLIC}/"
    assert (await reserve(strict, start.ljust(255, "x")))["status_code"] == 2003
    told = await reserve(strict, start.ljust(256, "x"))
    assert told["status_code"] == 2001
    assert "data" not in told


async def test_the_same_refused_post_gets_the_same_answer(strict):
    desk, emsp = strict
    desk.gateway.cpo()
    body = {"response_url": "https://elsewhere.invalid/cb", "session_id": "S-1"}
    first, second = [await desk.post("STOP_SESSION", body, emsp.token_in, X_Request_ID="the same") for _ in range(2)]
    assert first["data"]["result"] == "REJECTED"
    assert second["status_code"] == 1000
    assert second["data"] == first["data"]
    must_be_refused(strict, second)


# Through real processes


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """A gateway as it is in production: nothing private is called."""
    with running(tmp_path_factory.mktemp("public"), GATEWAY_ALLOW_PRIVATE_CALLBACKS="false") as started:
        yield started


async def test_a_gateway_that_calls_nothing_private_asks_no_station(public: Gateway):
    async with scene(public) as place:
        for told in (
            await place.emsp.reserve(place.location),
            await place.emsp.start_session(place.location, body={"response_url": "https://127.0.0.1/cb"}),
            await place.emsp.unlock(place.location, version="2.2"),
        ):
            assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
            assert "response_url" in told.text
        assert public.rows("callback") == []
    assert [action for action, _ in place.station.asked if action not in ("GetVariables",)] == []


@pytest.mark.parametrize("url", ["http://127.0.0.2:{port}/callbacks/x", "http://u@127.0.0.1:{port}/callbacks/x"])
async def test_a_host_that_is_not_registered_hears_nothing(gateway: Gateway, url):
    async with scene(gateway) as place:
        told = await place.emsp.reserve(place.location, body={"response_url": url.format(port=place.emsp.port)})
        assert (told.http, told.code, told.result) == (200, 1000, "REJECTED")
        await place.nothing_followed(told)


async def test_a_host_that_was_taken_back_is_not_called_any_more(gateway: Gateway):
    """The result of a command that was taken on before is abandoned: the credential is not sent."""

    async def answer(station, _payload):
        with gateway.database() as db:
            partner = rows.partner
            db.execute(update(partner).where(partner.c.id == place.emsp.partner_id).values(callback_hosts=[]))
        return {"status": "Accepted"}

    async with scene(gateway, script={"ReserveNow": answer}) as place:
        assert (await place.emsp.reserve(place.location)).result == "ACCEPTED"
        await place.station.was_asked("ReserveNow")
        (owed,) = await eventually(lambda: gateway.rows("callback", partner=place.emsp.partner_id))
        tried = await eventually(lambda: gateway.rows("callback_attempt", callback=owed["id"]))
        assert "not registered" in tried[0]["error"]
        assert place.emsp.callbacks == []
