"""What eMSPs are told where processes die, partners are slow and things change meanwhile: real sockets and database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from gateway import cdrs
from gateway.domain.lifecycle import PartnerState
from gateway.house import utc_now
from gateway.office import Office
from gateway.pushes import AT_A_TIME, Pusher
from gateway.sessions import tell, views
from gateway.store import endpoints, partners, pushes, rows, tariffs
from ocpi.paging import Page
from ocpi.tariffs import Tariff
from ocpi.versions import ModuleID
from tests.support.charges import Driver, priced_location
from tests.support.emsp import Emsp
from tests.support.gateway import Gateway
from tests.support.indoors import Indoors
from tests.support.office import office
from tests.support.tariffs import tariff

LONG_AGO = timedelta(minutes=5)
EVERYTHING = Page(date_from=None, date_to=None, offset=0, limit=100)


class Partner:
    """An eMSP that listens, and its driver at a place of ours."""

    def __init__(self, indoors: Indoors, emsp: Emsp) -> None:
        self.indoors, self.emsp = indoors, emsp
        self.connection = indoors.run(partners.by_id, emsp.partner_id)
        self.driver = self.another_driver()

    def another_driver(self) -> Driver:
        station = self.indoors.station()
        return Driver(self.indoors, self.connection, priced_location(self.indoors, station, "T-1"), station)

    def begins(self, driver: Driver | None = None) -> str:
        driver = driver or self.driver
        driver.asks_to_start()
        return driver.begins()

    @property
    def pushes(self) -> list[dict[str, Any]]:
        return self.indoors.rows("push", partner=self.emsp.partner_id)

    @property
    def methods(self) -> list[str]:
        return [one.method for one in self.emsp.pushes]

    def is_due(self, **values: Any) -> None:
        """Now, whatever was agreed; ``held_until`` long ago: whoever held it is dead."""
        mine = update(rows.push).where(rows.push.c.partner == self.emsp.partner_id)
        self.indoors.run(lambda db: db.execute(mine.values(due_at=utc_now() - LONG_AGO, **values)))


class House:
    """A worker's office, and a house around its database."""

    def __init__(self, office: Office, gateway: Gateway, indoors: Indoors) -> None:
        self.office, self.gateway, self.indoors = office, gateway, indoors

    @asynccontextmanager
    async def partner(self, **changes: Any) -> AsyncIterator[Partner]:
        async with self.gateway.emsp(**changes) as emsp:
            yield Partner(self.indoors, emsp)

    async def deliver(self) -> None:
        await Pusher(self.office).deliver()


@pytest.fixture
async def house(tmp_path: Path, redis_url: str) -> AsyncIterator[House]:
    settings = {"allow_private_callbacks": True, "callback_attempt_timeout": 5, "callback_pauses": ()}
    async with office(tmp_path, redis_url, **settings) as desk:
        indoors = Indoors(desk.office.rules.settings.database)
        indoors.now = utc_now() - timedelta(hours=5)
        indoors.run(tariffs.put, indoors.cpo.id, Tariff.model_validate(tariff("T-1")))
        yield House(desk.office, desk.gateway, indoors)
        indoors.close()


async def killed(task: asyncio.Task[None]) -> None:
    """As kill -9 would: nothing is written down."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_period_is_appended_twice_by_a_process_that_died_before_it_noted_the_answer(house: House) -> None:
    async with house.partner() as one:
        transaction = one.begins()
        await house.deliver()
        house.indoors.pass_(hours=1)
        one.driver.ends(transaction, 10_000)
        one.emsp.receiver.mood.silent = 2
        dying = asyncio.create_task(house.deliver())
        await one.emsp.pushed(3)
        await killed(dying)
        [told] = one.emsp.sessions_pushed.values()
        assert (sorted(one.methods), told["status"]) == (["PATCH", "POST", "PUT"], "COMPLETED")
        assert told["charging_periods"]
        one.is_due(held_until=utc_now() - LONG_AGO)
        await house.deliver()
        assert one.emsp.sessions_pushed[told["id"]] == told
        assert sorted(one.methods[3:]) == ["POST", "PUT"]
        assert len(one.emsp.cdrs) == 1


async def test_nobody_else_tells_what_is_in_flight(house: House) -> None:
    async with house.partner() as one:
        one.begins()
        one.emsp.stall()
        first = asyncio.create_task(house.deliver())
        await one.emsp.pushed(1)
        one.emsp.stall(False)
        await house.deliver()
        assert one.methods == ["PUT"]
        await first


async def test_what_changes_during_a_message_is_told_in_the_next_one(house: House) -> None:
    async with house.partner() as one:
        transaction = one.begins()
        house.indoors.pass_(hours=1)

        def change(push: Any) -> None:
            one.emsp.receiver.on_push = lambda push: None
            one.driver.ends(transaction, 10_000)

        one.emsp.receiver.on_push = change
        await house.deliver()
        await house.deliver()
        [told] = one.emsp.sessions_pushed.values()
        assert (told["status"], told["kwh"]) == ("COMPLETED", 10)
        assert [(method.method, method.problems) for method in one.emsp.pushes if "/sessions/" in method.path] == [
            ("PUT", ()),
            ("PATCH", ()),
        ]
        assert [row["due_at"] for row in one.pushes] == [None, None]


async def test_rule_52_a_change_is_not_lost_when_the_message_before_it_fails(house: House) -> None:
    async with house.partner() as one:
        transaction = one.begins()

        def change(push: Any) -> None:
            one.emsp.receiver.on_push = lambda push: None
            one.driver.ends(transaction, 10_000)

        one.emsp.receiver.on_push = change
        one.emsp.fail_next(1, 400, 2000)
        await house.deliver()
        await house.deliver()
        [told] = one.emsp.sessions_pushed.values()
        assert told["status"] == "COMPLETED"


async def test_rule_178_what_the_partner_knows_to_be_over_is_never_told_again(house: House) -> None:
    async with house.partner() as one:
        one.driver.asks_to_start()
        one.driver.charges()
        await house.deliver()
        [told] = one.emsp.sessions_pushed.values()
        assert told["status"] == "COMPLETED"
        before = list(one.methods)
        house.indoors.run(
            lambda db: db.execute(update(rows.session).values(kwh=99, last_updated=utc_now()))  # a mistake of ours
        )
        one.is_due()
        await house.deliver()
        assert one.methods == before


async def test_rule_219_a_cdr_that_was_taken_is_not_posted_again_and_its_place_is_kept(house: House) -> None:
    async with house.partner() as one:
        one.driver.asks_to_start()
        one.driver.charges()
        await house.deliver()
        [row] = [each for each in one.pushes if each["module"] == "cdrs"]
        assert row["kept_at"]
        house.indoors.run(pushes.owe, one.emsp.partner_id, ModuleID.CDRS, row["object"], utc_now() - LONG_AGO)
        await house.deliver()
        [again] = [each for each in one.pushes if each["module"] == "cdrs"]
        assert (again["kept_at"], again["due_at"]) == (row["kept_at"], None)
        assert one.methods.count("POST") == 1


async def test_a_cdr_without_a_place_is_taken_all_the_same(house: House) -> None:
    async with house.partner() as one:
        one.emsp.hide_location()
        one.driver.asks_to_start()
        one.driver.charges()
        await house.deliver()
        [row] = [each for each in one.pushes if each["module"] == "cdrs"]
        assert (row["kept_at"], row["due_at"], row["told"] is not None) == (None, None, True)


def told(one: Partner) -> list[tuple[str, bool]]:
    """(id without -C, whether it is a Credit CDR) of the CDRs that the partner has taken, in its order."""
    return [(cdr["id"].removesuffix("-C"), cdr.get("credit", False)) for cdr in one.emsp.cdrs]


def cdr_id(house: House, key: int) -> str:
    [row] = house.indoors.rows("cdr", id=key)
    return str(row["cdr_id"])


async def test_no_credit_reaches_a_partner_before_what_it_takes_back(house: House) -> None:
    async with house.partner() as one:
        one.driver.asks_to_start()
        one.driver.charges()
        one.emsp.fail_next(2, 500, 3000)  # the Session, and the CDR, which is left to the partner's pull
        await house.deliver()
        assert told(one) == []
        [row] = house.indoors.rows("cdr")
        house.indoors.run(cdrs.credit, row["id"], "Wrong.", utc_now())
        await house.deliver()
        assert told(one) == [(row["cdr_id"], False), (row["cdr_id"], True)]


async def credited(house: House, one: Partner) -> dict[str, Any]:
    """A CDR that the partner has taken, and that is taken back now."""
    one.driver.asks_to_start()
    one.driver.charges()
    await house.deliver()
    [row] = house.indoors.rows("cdr")
    house.indoors.run(cdrs.credit, row["id"], "Wrong.", utc_now())
    return row


async def test_a_new_cdr_waits_until_the_one_before_it_is_taken_back(house: House) -> None:
    async with house.partner() as one:
        row = await credited(house, one)
        new = house.indoors.run(cdrs.replace, row["id"], utc_now())
        one.emsp.fail_next(1)
        await house.deliver()
        assert told(one) == [(row["cdr_id"], False)]
        assert house.indoors.run(pushes.partners_due, utc_now()) == []
        another = one.another_driver()
        another.asks_to_start()
        another.charges()
        await house.deliver()
        assert len(told(one)) == 2, "it keeps no other Session's back"
        one.is_due()
        await house.deliver()
        assert told(one)[2:] == [(row["cdr_id"], True), (cdr_id(house, new), False)]


async def test_what_was_not_told_of_a_session_is_told_before_what_comes_after_it(house: House) -> None:
    """A partner that took no CDRs for a while."""
    async with house.partner() as one:
        row = await credited(house, one)
        url = one.emsp.endpoint("cdrs")
        house.indoors.run(endpoints.remove, one.emsp.partner_id, ModuleID.CDRS, "RECEIVER")
        await house.deliver()
        house.indoors.run(endpoints.put, one.emsp.partner_id, ModuleID.CDRS, "RECEIVER", url)
        new = house.indoors.run(cdrs.replace, row["id"], utc_now())
        await house.deliver()
        assert told(one)[1:] == [(row["cdr_id"], True), (cdr_id(house, new), False)]


async def test_urls_have_one_slash_between_their_parts_and_a_cdrs_endpoint_is_called_as_it_stands(house: House) -> None:
    async with house.partner() as one:
        for module in ("sessions", "cdrs"):
            url = one.emsp.endpoint(module) + "/"
            house.indoors.run(endpoints.put, one.emsp.partner_id, module, "RECEIVER", url)
        one.driver.asks_to_start()
        one.driver.charges()
        await house.deliver()
        paths = [push.path for push in one.emsp.pushes]
        [session] = one.emsp.sessions_pushed
        assert sorted(paths) == ["/ocpi/emsp/2.2.1/cdrs/", f"/ocpi/emsp/2.2.1/sessions/NL/CPO/{session}"]


async def test_a_wake_of_many_changes_is_told_at_once_and_a_tar_pit_gets_only_its_share(house: House) -> None:
    count = AT_A_TIME + 5
    async with house.partner() as slow, house.partner() as quick:
        for one in (slow, quick):
            for _ in range(count):
                one.begins(one.another_driver())
        slow.emsp.stall()
        pusher = Pusher(house.office)
        sweeps = [asyncio.create_task(pusher.deliver())]
        await slow.emsp.pushed(AT_A_TIME)
        sweeps.append(asyncio.create_task(pusher.deliver()))
        await quick.emsp.pushed(count)
        assert (len(quick.emsp.sessions_pushed), len(slow.emsp.pushes)) == (count, AT_A_TIME)
        for sweep in sweeps:
            await (killed(sweep) if not sweep.done() else sweep)


async def test_a_suspended_partner_is_told_nothing_until_it_is_let_in_again(house: House) -> None:
    async with house.partner() as one:
        one.begins()
        house.indoors.run(partners.become, one.emsp.partner_id, PartnerState.SUSPENDED)
        await house.deliver()
        assert one.methods == []
        house.indoors.run(partners.become, one.emsp.partner_id, PartnerState.ACTIVE)
        await house.deliver()
        assert one.methods == ["PUT"]


@pytest.mark.parametrize("keeps", [True, False])
async def test_whoever_refuses_is_told_again_only_where_it_wants_that(house: House, keeps: bool) -> None:
    async with house.partner(keep_pushing=keeps) as one:
        one.begins()
        one.emsp.fail_next(1, 400, 2000)
        await house.deliver()
        [row] = one.pushes
        assert (row["due_at"] is not None, row["attempts"], row["http_status"]) == (keeps, 1, 400)
        assert house.indoors.run(pushes.failing, one.emsp.partner_id) == 1
        one.is_due()
        await house.deliver()
        assert house.indoors.run(pushes.failing, one.emsp.partner_id) == 0
        assert [one.methods, one.pushes[0]["due_at"]] == [["PUT", "PUT"], None]


async def test_nothing_is_told_to_an_endpoint_that_was_taken_back(house: House) -> None:
    async with house.partner() as one:
        one.begins()
        house.indoors.run(endpoints.remove, one.emsp.partner_id, ModuleID.SESSIONS, "RECEIVER")
        await house.deliver()
        assert (one.methods, one.pushes[0]["due_at"]) == ([], None)


async def test_a_patch_that_fails_for_any_reason_leaves_the_partner_with_all_of_it(house: House) -> None:
    for status, code in ((404, 2001), (200, 2001), (500, 3000), (429, 2000)):
        async with house.partner(keep_pushing=True) as one:
            transaction = one.begins()
            await house.deliver()
            house.indoors.pass_(hours=1)
            one.driver.ends(transaction, 10_000)
            one.emsp.fail_next(1, status, code)
            await house.deliver()
            one.is_due()
            await house.deliver()
            [told] = one.emsp.sessions_pushed.values()
            assert told["status"] == "COMPLETED"
            assert [one for one in one.methods if one != "POST"][-1] == "PUT"
            one.emsp.pushes_are_right()


@pytest.mark.parametrize("unknown", ["location", "cdr_token"])
async def test_rule_180_a_session_that_lacks_what_it_needs_is_told_when_it_has_it(house: House, unknown: str) -> None:
    async with house.partner() as one:
        one.begins()
        one.begins(one.another_driver())
        first, second = house.indoors.rows("session")
        set_to = update(rows.session).where(rows.session.c.id == first["id"]).values
        house.indoors.run(lambda db: db.execute(set_to({unknown: None})))
        await house.deliver()
        assert [*one.emsp.sessions_pushed] == [second["session_id"]]
        _, page = house.indoors.run(views, one.emsp.partner_id, None, [house.indoors.cpo.id], EVERYTHING)
        assert [told.id for told in page] == [second["session_id"]]
        house.indoors.run(lambda db: db.execute(set_to({unknown: first[unknown]})))
        house.indoors.run(tell, first, house.office.rules, utc_now() - LONG_AGO)
        await house.deliver()
        assert one.emsp.sessions_pushed.keys() == {first["session_id"], second["session_id"]}
