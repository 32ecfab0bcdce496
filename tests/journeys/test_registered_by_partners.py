"""Partners register with us: as the specification has it, as others do it, and when something goes wrong in between."""

import asyncio

import pytest

from gateway.simulators.platform import Refused
from tests.support.emsp import moment
from tests.support.gateway import Gateway, Spot, eventually
from tests.support.platforms import SINCE, Peer, peer
from tests.support.scene import willing
from tests.support.station import ScriptedStation

#: What other implementations are known to do.
HABITS = {
    "by the book": {},
    "token in Base64 only": {"encoding": "base64"},
    "token raw": {"encoding": "raw"},
    "URLs end with a slash": {"slash": True},
    "URLs end without the slash they are told with": {"slash": False},
    "slow": {"delay": 1.0},
    "objects in lists": {"wraps": True},
    "only the older version": {"versions": ("2.2",)},
    "versions newer than ours": {"versions": ("3.0", "2.2.1", "2.1.1")},
}


def tokens_of(one: Peer) -> list[dict]:
    """What it may show, or might, oldest first."""
    found = one.gateway.rows("partner_token", partner=one.row["id"])
    return sorted(found, key=lambda row: row["number"])


@pytest.mark.parametrize("habit", HABITS)
async def test_rule_88_rule_92_rule_93_rule_94_rule_95_rule_103_rule_104_a_platform_registers(
    gateway: Gateway, habit: str
) -> None:
    async with peer(gateway, **HABITS[habit]) as one:
        version = "2.2" if habit == "only the older version" else "2.2.1"
        await one.register(version)
        assert (one.row["state"], one.row["version"]) == ("ACTIVE", version)
        assert one.row["party_id"] == one.platform.party.party_id
        assert one.platform.their_roles == [
            {"role": "CPO", "business_details": {"name": "A CPO"}, "country_code": "NL", "party_id": "CPO"}
        ]
        assert await one.both_talk()


async def test_rule_96_a_registered_partner_finds_its_way_to_a_result(gateway: Gateway) -> None:
    """From the invitation to the result, by nothing but what the handshake told."""
    async with peer(gateway) as one:
        await one.register()
        name = gateway.station_name()
        location = gateway.location(Spot(name, evse=1, connector=1))
        async with ScriptedStation(gateway.ocpp, name, "2.0.1", willing("2.0.1")):
            token = {
                "country_code": "DE", "party_id": one.platform.party.party_id, "uid": "APP-1", "type": "APP_USER",
                "contract_id": "C", "issuer": "It", "valid": True, "whitelist": "NEVER",
                "last_updated": "2026-01-01T00:00:00Z",
            }  # fmt: skip
            command = {
                "response_url": one.emsp.url_for("R"), "token": token, "expiry_date": moment(minutes=30),
                "reservation_id": "R", "location_id": location, "evse_uid": "E1",
            }  # fmt: skip
            commands = one.platform.endpoints["commands", "RECEIVER"]
            told = await one.platform.ask("POST", f"{commands}/RESERVE_NOW", command)
            assert told["result"] == "ACCEPTED", told
            callback = await one.emsp.callback("R", 40)
            assert (callback.json["result"], callback.problems) == ("ACCEPTED", ())
            session = await eventually(lambda: next(iter(one.emsp.receiver.sessions.values()), None))
            assert session["status"] == "RESERVATION"


@pytest.mark.parametrize(
    ("quirks", "code"),
    [
        ({"versions_url": "http://127.0.0.1:1/ocpi/versions"}, 3001),
        ({"versions_url": "http://169.254.169.254/ocpi/versions"}, 3001),
        ({"late_token": True}, 3001),
        ({"versions": ("2.2",)}, 3002),
        ({"lacks": frozenset({"credentials"})}, 3003),
    ],
)
async def test_rule_67_rule_68_rule_69_rule_98_rule_100_what_cannot_be_called_is_not_registered(
    gateway: Gateway, quirks: dict, code: int
) -> None:
    async with peer(gateway) as one:
        token_a = one.invite()
        for name, value in quirks.items():
            setattr(one.platform.quirks, name, value)
        assert await one.refuses(token=token_a) == code
        assert (one.row["state"], one.row["versions_url"]) == ("INVITED", None)
        one.platform.quirks = type(one.platform.quirks)()
        await one.platform.register(one.versions_url, token_a)
        assert await one.both_talk()


async def test_rule_7_rule_97_token_a_opens_versions_and_credentials_and_nothing_afterwards(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        token_a = one.invite()
        assert not await one.is_let_in(token_a)
        for path in ("/ocpi/versions", "/ocpi/2.2.1", "/ocpi/2.2.1/credentials"):
            assert (await one.status("GET", path, token_a))[0] == 200
        await one.platform.register(one.versions_url, token_a)
        assert await one.is_let_in()
        for path in ("/ocpi/versions", "/ocpi/2.2.1", "/ocpi/2.2.1/credentials"):
            assert (await one.status("GET", path, token_a))[0] == 401


async def test_rule_105_rule_109_rule_111_what_a_caller_may_not_do_is_405(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        token_a, body = one.invite(), {"token": "t", "url": "https://a.example/v", "roles": []}
        for method in ("PUT", "DELETE"):
            status, headers, told = await one.status(method, "/ocpi/2.2.1/credentials", token_a, json=body)
            assert (status, told["status_code"], headers["Allow"]) == (405, 2000, "GET, POST")
            assert (await one.status(method, "/ocpi/2.2.1/credentials", "unknown", json=body))[0] == 401
        await one.platform.register(one.versions_url, token_a)
        status, headers, _ = await one.status("POST", "/ocpi/2.2.1/credentials", json=body)
        assert (status, headers["Allow"]) == (405, "GET, PUT, DELETE")
        assert await one.both_talk()


async def test_rule_102_credentials_are_how_the_caller_is_to_call(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        await one.register()
        _, _, told = await one.status("GET", "/ocpi/2.2/credentials")
        assert told["data"]["token"] == one.platform.token
        assert told["data"]["url"] == one.versions_url
        assert {each["role"] for each in told["data"]["roles"]} == {"CPO"}


async def test_rule_106_rule_107_rule_108_an_update_reads_anew_and_switches_the_version(gateway: Gateway) -> None:
    async with peer(gateway, lacks=frozenset({"cdrs"})) as one:
        await one.register()
        before = one.platform.token
        assert "cdrs" not in {each["identifier"] for each in gateway.rows("partner_endpoint", partner=one.row["id"])}
        one.platform.quirks.lacks = frozenset({"sessions"})
        await one.platform.exchange("PUT", "2.2")
        assert one.row["version"] == "2.2"
        endpoints = {
            each["identifier"]: each["url"] for each in gateway.rows("partner_endpoint", partner=one.row["id"])
        }
        assert "sessions" not in endpoints
        assert "/2.2/" in endpoints["cdrs"]
        assert one.platform.token != before
        assert await one.both_talk()


async def test_an_update_works_for_a_platform_that_knows_its_new_token_only_afterwards(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        await one.register()
        one.platform.quirks.late_token = True
        await one.platform.exchange()
        assert await one.both_talk()


async def test_a_registration_whose_answer_was_lost_is_done_again_with_the_same_token(gateway: Gateway) -> None:
    async with peer(gateway, losing_answers=1) as one:
        token_a = one.invite()
        with pytest.raises(Refused, match="lost"):
            await one.platform.register(one.versions_url, token_a)
        assert one.row["state"] == "ACTIVE"
        await one.platform.register(one.versions_url, token_a)
        assert await one.both_talk()
        assert len(gateway.rows("partner", name=one.name)) == 1


@pytest.mark.parametrize("keeps", ["both tokens", "the token before", "the new token"])
async def test_an_update_whose_answer_was_lost_leaves_both_able_to_talk(gateway: Gateway, keeps: str) -> None:
    """It does not know what we made of it: it may have kept its own new token, or gone back to the one before."""
    async with peer(gateway) as one:
        await one.register()
        before = list(one.platform.accepted)
        one.platform.quirks.losing_answers = 1
        with pytest.raises(Refused, match="lost"):
            await one.platform.exchange()
        if keeps != "both tokens":
            one.platform.accepted[:] = before if keeps == "the token before" else one.platform.accepted[-1:]
        for _ in range(2):
            assert await one.both_talk()
        await one.platform.exchange()
        assert await one.both_talk()


async def test_the_token_before_is_good_until_the_new_one_is_used_and_a_moment_longer(hasty: Gateway) -> None:
    async with peer(hasty) as one:
        await one.register()
        before = one.platform.token
        await one.platform.exchange()
        assert await one.is_let_in(before)
        await one.status("GET", "/ocpi/versions")
        assert [each["expires_at"] for each in tokens_of(one)[1:]] == [None, None]
        assert await one.is_let_in()
        _, older, newer = tokens_of(one)
        assert older["expires_at"] is not None
        assert (newer["expires_at"], newer["used_at"] is not None) == (None, True)
        assert one.row["token_out_before"] is None


async def test_of_two_handshakes_at_the_same_time_one_is_done(gateway: Gateway) -> None:
    async with peer(gateway, delay=0.3) as one:
        await one.register()
        body = one.platform._credentials(one.platform.accepted[0])
        both = [one.status("PUT", "/ocpi/2.2.1/credentials", json=body) for _ in range(2)]
        codes = sorted([told["status_code"] for _, _, told in await asyncio.gather(*both)])
        assert codes == [1000, 3000]
        assert one.row["revision"] == 2


async def test_rule_110_who_leaves_is_let_in_no_more_and_called_no_more(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        await one.register()
        token = one.platform.token
        with gateway.database() as db:
            db.exec_driver_sql(
                "INSERT INTO push (partner, module, object, due_at, revision, attempts, error, created_at) "
                f"VALUES ({one.row['id']}, 'cdrs', 999999, '2099-01-01 00:00:00', 1, 0, '', '2026-01-01 00:00:00')"
            )
        await one.platform.leave()
        assert one.row["state"] == "REMOVED"
        assert (await one.status("GET", "/ocpi/versions", token))[0] == 401
        [push] = gateway.rows("push", partner=one.row["id"])
        assert (push["due_at"], push["error"]) == (None, "The partner was removed.")
        assert one.name not in [each["name"] for each in gateway.rows("partner", state="ACTIVE")]
        await one.register()
        assert await one.both_talk()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"token": "with space"}, "token"),
        ({"token": "x" * 65}, "token"),
        ({"url": ""}, "url"),
        ({"url": f"https://a.example/{'x' * 240}"}, "url"),
        ({"roles": []}, "roles"),
        ({"roles": None}, "roles"),
    ],
)
async def test_rule_114_rule_115_rule_75_credentials_that_are_none_are_told_so(
    gateway: Gateway, changes: dict, field: str
) -> None:
    async with peer(gateway) as one:
        body = one.platform._credentials("t") | changes
        status, _, told = await one.status("POST", "/ocpi/2.2.1/credentials", one.invite(), json=body)
        assert (status, told["status_code"]) == (200, 2001)
        assert field in told["status_message"]


async def test_rule_116_a_platform_may_have_several_parties_each_once_in_a_role(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        token_a = one.invite()
        body = one.platform._credentials("t")
        twice = body | {
            "roles": [body["roles"][0], body["roles"][0] | {"party_id": body["roles"][0]["party_id"].lower()}]
        }
        _, _, told = await one.status("POST", "/ocpi/2.2.1/credentials", token_a, json=twice)
        assert told["status_code"] == 2001
        also = {"role": "EMSP", "party_id": "TWO", "country_code": "AT", "business_details": {"name": "Two"}}
        one.platform._accept("t")
        roles = [*body["roles"], also, also | {"role": "NSP"}]
        _, _, told = await one.status("POST", "/ocpi/2.2.1/credentials", token_a, json=body | {"roles": roles})
        assert told["status_code"] == 1000
        token = told["data"]["token"]
        path = f"/ocpi/cpo/2.2.1/sessions{SINCE}"
        for country, party, code in (("AT", "TWO", 1000), ("DE", one.platform.party.party_id, 1000), ("FR", "X", 2001)):
            headers = {
                "OCPI-from-country-code": country,
                "OCPI-from-party-id": party,
                "Authorization": f"Token {token}",
            }
            async with one.platform.client().get(f"{gateway.api}{path}", headers=headers) as answer:
                assert (await answer.json())["status_code"] == code
