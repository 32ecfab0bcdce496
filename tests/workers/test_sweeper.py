"""The sweeper: what is due and nobody was rung for, found in the database; losing Redis loses only time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from gateway.house import utc_now
from gateway.pushes import Pusher
from gateway.store import commands
from gateway.store.rows import callback, command, reservation
from ocpp_bridge.answers import Answer, Ending
from tests.support.indoors import ACCEPTED
from tests.workers.conftest import Work
from workers.sweeper import sweep, sweep_for_ever


async def swept(work: Work) -> None:
    posting: set[asyncio.Task[None]] = set()
    await sweep(work.office, Pusher(work.office), posting)
    await asyncio.gather(*posting)


async def test_an_empty_house_is_swept(work: Work) -> None:
    await swept(work)
    assert work.emsp.callbacks == []


async def test_a_wake_up_that_was_lost_is_given_again_and_not_at_every_sweep(work: Work) -> None:
    rules = work.office.rules
    rules = replace(rules, settings=rules.settings.model_copy(update={"ring_again": timedelta(seconds=9)}))
    work.office = replace(work.office, rules=rules)
    await work.hold()
    lost, fresh = work.start("lost", ago=14), work.start("fresh")
    await swept(work)
    assert work.state(lost) == ("DISPATCHED", None)
    assert work.state(fresh) == ("RECEIVED", None)
    assert await work.letters() == 1
    await swept(work)
    assert await work.letters() == 1
    long_ago = utc_now() - timedelta(seconds=10)
    work.indoors.run(lambda db: db.execute(update(command).where(command.c.id == lost).values(dispatched_at=long_ago)))
    await swept(work)
    assert await work.letters() == 2


async def test_what_is_overdue_is_concluded_by_what_is_known_of_it(anywhere: Work) -> None:
    await anywhere.hold()
    sent, unsent, lost = (anywhere.start(name, ago=21) for name in ("sent", "unsent", "lost"))
    anywhere.indoors.run(commands.dispatch, [sent, lost], anywhere.indoors.now)
    anywhere.indoors.claim(anywhere.station)
    anywhere.indoors.run(
        lambda db: db.execute(
            update(command).where(command.c.id == lost).values(state="SENT", ending="CONNECTION_LOST")
        )
    )
    await swept(anywhere)
    assert {one.name: one.json["result"] for one in anywhere.emsp.callbacks} == {
        "sent": "TIMEOUT",
        "unsent": "FAILED",
        "lost": "TIMEOUT",
    }
    await swept(anywhere)
    assert len(anywhere.emsp.callbacks) == 3
    assert [anywhere.state(one)[0] for one in (sent, unsent, lost)] == ["CONCLUDED"] * 3


async def test_an_answer_whose_job_was_lost_is_concluded(work: Work) -> None:
    asked = work.start(ago=10)
    work.indoors.run(commands.dispatch, [asked], work.indoors.now)
    work.indoors.claim(work.station)
    work.indoors.run(commands.answered, asked, "ocpp1.6", ACCEPTED, utc_now() - timedelta(seconds=3))
    await swept(work)
    assert await work.told() == ["ACCEPTED"]


async def test_one_that_cannot_be_concluded_keeps_no_other_from_its_result(work: Work) -> None:
    broken = work.start("broken", ago=21)
    work.indoors.run(commands.dispatch, [broken], work.indoors.now)
    work.indoors.claim(work.station)
    work.indoors.run(commands.answered, broken, "ocpp1.6", ACCEPTED, utc_now())
    work.location, work.station = work.indoors.one_evse()
    work.start("sound", ago=21)
    nonsense = update(command).where(command.c.id == broken).values(order={"kind": "NoSuchOrder"})
    work.indoors.run(lambda db: db.execute(nonsense))
    await swept(work)
    assert [one.name for one in work.emsp.callbacks] == ["sound"]
    assert work.state(broken) == ("SENT", None)


async def test_a_callback_whose_poster_died_is_posted(work: Work) -> None:
    asked = work.start(ago=10)
    work.indoors.run(commands.dispatch, [asked], work.indoors.now)
    work.indoors.claim(work.station)
    work.indoors.answer(work.station, asked, ACCEPTED)
    held = update(callback).values(due_at=utc_now() + timedelta(seconds=6))
    work.indoors.run(lambda db: db.execute(held))
    await swept(work)
    assert work.emsp.callbacks == []
    work.indoors.run(lambda db: db.execute(update(callback).values(due_at=utc_now())))
    await swept(work)
    assert await work.told() == ["ACCEPTED"]


async def test_two_sweepers_post_a_result_once(anywhere: Work) -> None:
    anywhere.start(ago=21)
    await asyncio.gather(*(swept(anywhere) for _ in range(4)))
    assert await anywhere.told() == ["FAILED"]


def reserve(work: Work, ago: float) -> int:
    """A reservation whose order was sent and never answered; its number."""
    work.indoors.now = utc_now() - timedelta(seconds=ago)
    work.indoors.reserve(work.partner, work.location, response_url=work.emsp.url_for("reserve"))
    return work.indoors.claim(work.station).order.number


async def test_a_reservation_of_unknown_fate_is_cancelled_until_it_is_confirmed_dead(work: Work) -> None:
    await work.hold()
    number = reserve(work, ago=25)
    await swept(work)
    assert work.indoors.reservation()["state"] == "UNKNOWN"
    assert await work.told() == ["TIMEOUT"]
    work.indoors.now = utc_now() - timedelta(seconds=60)
    work.indoors.run(
        lambda db: db.execute(update(command).where(command.c.partner.is_(None)).values(state="DISPATCHED"))
    )
    first = work.indoors.claim(work.station)
    assert first.order.number == number
    unsent = Answer(ending=Ending.NOT_SENT, detail="")
    work.indoors.answer(work.station, first.id, unsent)
    await swept(work)  # the pause is not over
    assert work.indoors.claim(work.station) is None
    over = update(reservation).values(cleanup_at=utc_now() - timedelta(seconds=1))
    work.indoors.run(lambda db: db.execute(over))
    await swept(work)
    again = work.indoors.claim(work.station)
    assert again.order.number == number
    work.indoors.answer(work.station, again.id, ACCEPTED)
    assert work.indoors.reservation()["state"] == "CANCELLED"
    await swept(work)
    assert work.indoors.claim(work.station) is None
    assert await work.told() == ["TIMEOUT"]


async def test_an_offline_station_s_cleaning_waits_for_it_without_a_word_to_anybody(work: Work) -> None:
    reserve(work, ago=25)
    for _ in range(3):
        await swept(work)
    assert work.indoors.reservation()["state"] == "UNKNOWN"
    assert await work.told() == ["TIMEOUT"]
    errands = [row for row in work.indoors.rows("command") if row["partner"] is None]
    assert len(errands) == 1


async def test_a_reservation_is_over_after_its_expiry_and_the_grace_for_wrong_clocks(work: Work) -> None:
    work.indoors.now = utc_now()
    work.indoors.reserve(work.partner, work.location, response_url=work.emsp.url_for("reserve"))
    work.indoors.next(work.station)
    grace = work.office.rules.settings.reservation_grace
    for since, state in ((grace - timedelta(seconds=10), "ACTIVE"), (grace, "EXPIRED")):
        expired = update(reservation).values(expiry_date=utc_now() - since)
        work.indoors.run(lambda db, change=expired: db.execute(change))
        await swept(work)
        assert work.indoors.reservation()["state"] == state


async def test_without_redis_results_are_concluded_and_delivered(cut_off: Work) -> None:
    overdue, waiting = cut_off.start("overdue", ago=21), cut_off.start("waiting", ago=5)
    await swept(cut_off)
    assert await cut_off.told() == ["FAILED"]
    assert cut_off.state(overdue) == ("CONCLUDED", "FAILED")
    assert cut_off.state(waiting)[0] != "CONCLUDED"  # nobody knows where its station is


async def test_a_sweeper_that_failed_sweeps_on(anywhere: Work) -> None:
    sweeping = asyncio.create_task(sweep_for_ever(anywhere.office))
    await asyncio.sleep(0.2)
    anywhere.indoors.run(lambda db: db.exec_driver_sql('ALTER TABLE "callback" RENAME TO "elsewhere"'))
    await asyncio.sleep(0.2)
    anywhere.indoors.run(lambda db: db.exec_driver_sql('ALTER TABLE "elsewhere" RENAME TO "callback"'))
    anywhere.start(ago=21)
    assert await anywhere.told() == ["FAILED"]
    assert not sweeping.done()
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
