"""We register with partners: as the specification has it, as others do it, and when something goes wrong in between."""

import asyncio
import json
from dataclasses import replace

import pytest

from gateway import registering, registration
from gateway.house import utc_now
from gateway.registering import NotDone
from gateway.store import partner_tokens, partners
from ocpi.credentials import Credentials
from ocpi.status import NoMatchingEndpoints
from tests.journeys.test_registered_by_partners import HABITS
from tests.support.gateway import Gateway
from tests.support.platforms import Peer, peer


async def begin(one: Peer, token_a: str | None = None) -> None:
    await registering.register(one.office, one.name, one.platform.versions_url, token_a or one.platform.invite())


@pytest.mark.parametrize("habit", HABITS)
async def test_rule_90_rule_91_rule_96_rule_101_we_register_with_a_platform(gateway: Gateway, habit: str) -> None:
    async with peer(gateway, **HABITS[habit]) as one:
        await begin(one)
        version = "2.2" if habit == "only the older version" else "2.2.1"
        assert (one.row["state"], one.row["version"], one.platform.version) == ("ACTIVE", version, version)
        assert one.row["party_id"] == one.platform.party.party_id
        assert await one.both_talk()


async def test_an_operator_registers_rotates_and_removes(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        words = ("--versions-url", one.platform.versions_url, "--token", one.platform.invite(), "--name", one.name)
        told = await asyncio.to_thread(gateway.cli, "partner", "register", *words, "--json")
        assert told.returncode == 0, told.stderr
        shown = json.loads(told.stdout)
        assert (shown["state"], shown["parties"][0]["role"]) == ("ACTIVE", "EMSP")
        assert shown["callback_hosts"] == ["127.0.0.1"]
        assert set(shown["endpoints"]) == {"sessions", "cdrs", "tokens"}
        before = (one.platform.token, *one.platform.accepted)
        told = await asyncio.to_thread(gateway.cli, "partner", "rotate", one.name)
        assert "new tokens" in told.stdout, told.stderr
        assert not {one.platform.token, *one.platform.accepted} & {*before}
        assert await one.both_talk()
        told = await asyncio.to_thread(gateway.cli, "partner", "remove", one.name)
        assert (told.returncode, told.stderr) == (0, "")
        assert (one.platform.token, one.platform.accepted) == (None, [])


@pytest.mark.parametrize(
    ("quirks", "why"),
    [
        ({"versions": ("2.1.1", "3.0")}, "not among the versions"),
        ({"lacks": frozenset({"credentials"})}, "Missing in the version details"),
    ],
)
async def test_rule_99_a_platform_that_lacks_what_we_need_is_not_posted_to(
    gateway: Gateway, quirks: dict, why: str
) -> None:
    async with peer(gateway, **quirks) as one:
        with pytest.raises(NotDone, match=why):
            await begin(one)
        assert one.platform.their_roles == []
        assert gateway.rows("partner", name=one.name) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/ocpi/versions", "http://169.254.169.254/ocpi/versions"])
async def test_a_versions_url_that_cannot_be_fetched_changes_nothing(gateway: Gateway, url: str) -> None:
    async with peer(gateway) as one:
        with pytest.raises(NotDone, match="cannot be fetched"):
            await registering.register(one.office, one.name, url, "A")
        assert gateway.rows("partner", name=one.name) == []


@pytest.mark.parametrize("refusal", [(200, 3001), (200, 2001), (401, 2000), (405, 2000), (500, 3001)])
async def test_what_is_refused_leaves_nothing_behind(gateway: Gateway, refusal: tuple[int, int]) -> None:
    async with peer(gateway, refusing=1, refusal=refusal) as one:
        token_a = one.platform.invite()
        with pytest.raises(NotDone, match="refuse"):
            await begin(one, token_a)
        assert gateway.rows("partner", name=one.name) == []
        await begin(one, token_a)
        assert await one.both_talk()


async def test_a_registration_whose_answer_was_lost_is_asked_for_again(gateway: Gateway) -> None:
    """Its token A is good once more: the second POST is taken like the first."""
    async with peer(gateway, losing_answers=1, forgets_token_a=False) as one:
        await begin(one)
        assert await one.both_talk()


async def test_a_platform_that_calls_us_registered_already_is_told_of_an_update(gateway: Gateway) -> None:
    """Its token A is that of a registered client after the answer that was lost."""
    async with peer(gateway, losing_answers=1, forgets_token_a=False, upgrades_token_a=True) as one:
        await begin(one)
        assert await one.both_talk()


async def test_a_platform_whose_token_a_is_over_may_tell_us_its_credentials(gateway: Gateway) -> None:
    """It has our token and holds us for registered; it cannot be asked again, and so it is its turn."""
    async with peer(gateway, losing_answers=1) as one:
        with pytest.raises(NotDone, match="no answer came"):
            await begin(one)
        assert one.row["state"] == "INVITED"
        assert not await one.is_let_in()
        await one.platform.exchange()
        assert one.row["state"] == "ACTIVE"
        assert await one.both_talk()


async def test_rule_86_rule_112_rule_113_an_update_of_ours_changes_both_tokens_and_leaves_no_gap(
    gateway: Gateway,
) -> None:
    async with peer(gateway) as one:
        await begin(one)
        before = one.platform.token
        await registering.rotate(one.office, one.known)
        assert before != one.platform.token
        assert await one.is_let_in(before)
        assert await one.both_talk()


@pytest.mark.parametrize("refusal", [(200, 3001), (401, 2000), (404, 2000)])
async def test_an_update_of_ours_that_is_refused_changes_nothing(gateway: Gateway, refusal: tuple[int, int]) -> None:
    async with peer(gateway) as one:
        await begin(one)
        one.platform.quirks.refusing, one.platform.quirks.refusal = 1, refusal
        before = (one.platform.token, list(one.platform.accepted))
        with pytest.raises(NotDone, match="refuse"):
            await registering.rotate(one.office, one.known)
        assert (one.platform.token, one.platform.accepted) == before
        assert await one.both_talk()


async def test_an_update_of_ours_whose_answer_was_lost_leaves_both_able_to_talk(gateway: Gateway) -> None:
    """As we are when we are asked: the token before is good until the new one is used."""
    async with peer(gateway) as one:
        await begin(one)
        one.platform.quirks.losing_answers, one.platform.quirks.forgets_token_a = 1, False
        await registering.rotate(one.office, one.known)
        assert await one.both_talk()


async def test_an_update_of_ours_that_was_lost_for_good_lets_the_platform_in_by_either_token(gateway: Gateway) -> None:
    async with peer(gateway) as one:
        await begin(one)
        before, one.platform.quirks.losing_answers = one.platform.token, 1
        with pytest.raises(NotDone, match="no answer came"):
            await registering.rotate(one.office, one.known)
        after = one.platform.token
        assert before != after
        assert await one.is_let_in(before)
        assert await one.is_let_in(after)
        await one.platform.exchange()
        assert await one.both_talk()


async def test_who_was_added_by_hand_has_no_versions_to_be_told(gateway: Gateway) -> None:
    async with peer(gateway) as one, gateway.emsp() as emsp:
        with gateway.database() as db:
            known = partners.by_id(db, emsp.partner_id)
        with pytest.raises(NotDone, match="added by hand"):
            await registering.rotate(one.office, known)


async def test_rule_99_rule_100_modules_that_a_setting_expects_are_expected_both_ways(gateway: Gateway) -> None:
    async with peer(gateway, lacks=frozenset({"tokens"})) as one:
        settings = one.office.rules.settings.model_copy(update={"expected_modules": ("sessions", "tokens")})
        strict = replace(one.office, rules=replace(one.office.rules, settings=settings))
        with pytest.raises(NotDone, match="tokens SENDER"):
            await registering.register(strict, one.name, one.platform.versions_url, one.platform.invite())
        assert gateway.rows("partner", name=one.name) == []
        found = await one.office.store.read(
            partner_tokens.holder, [strict.rules.secrets.token_hash(one.invite())] * 2, utc_now()
        )
        assert found is not None
        token = one.platform.invite()  # good at its own endpoints, as a token B is
        theirs = Credentials.model_validate(one.platform._credentials(token))
        cpos = await one.office.store.read(partners.cpos)
        with pytest.raises(NoMatchingEndpoints, match="tokens SENDER"):
            await registration.welcome(strict, *found, cpos, "2.2.1", theirs)
        assert one.row["state"] == "INVITED"
        one.platform.quirks.lacks = frozenset()
        await registration.welcome(strict, *found, cpos, "2.2.1", theirs)
        assert one.row["state"] == "ACTIVE"
