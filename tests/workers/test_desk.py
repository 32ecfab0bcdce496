"""The desk: what a station answers is judged where it arrives, and kept where it cannot be judged."""

from datetime import timedelta

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import update
from structlog.testing import capture_logs

from gateway import conclusions
from gateway.bell import QUEUE, Job
from gateway.conclusions import Moved
from gateway.house import utc_now
from gateway.store import callbacks
from gateway.store.rows import command as table
from ocpp_bridge.answers import Answer, Ending
from tests.support.indoors import ACCEPTED
from tests.workers.conftest import Work
from workers.desk import HouseDesk


def sent(work: Work) -> int:
    """A START_SESSION that the station has; its id."""
    made = work.start()
    work.indoors.now = utc_now()
    work.indoors.claim(work.station)
    return made


def rung_for(redis_url: str) -> list[tuple[str, list[int]]]:
    with Redis.from_url(redis_url) as client:
        return [(one.func_name, one.args[0]) for one in Queue(QUEUE, connection=client, serializer=JSONSerializer).jobs]


async def test_an_answer_is_judged_at_once_and_its_result_held_for_a_worker(anywhere: Work, redis_url: str) -> None:
    made = sent(anywhere)
    await HouseDesk(anywhere.office).answered(made, anywhere.station, "ocpp1.6", ACCEPTED)
    assert anywhere.state(made) == ("CONCLUDED", "ACCEPTED")
    [owed] = anywhere.indoors.rows("callback")
    assert rung_for(redis_url) == [(Job.POST, [owed["id"]])]
    settings = anywhere.office.rules.settings
    assert owed["due_at"] > owed["created_at"] + settings.callback_attempt_timeout


async def test_a_result_that_no_worker_can_be_told_of_is_due_when_its_hold_is_over(cut_off: Work) -> None:
    """Not before: that the bell seems not to have been heard does not mean that it was not."""
    made = sent(cut_off)
    await HouseDesk(cut_off.office).answered(made, cut_off.station, "ocpp1.6", ACCEPTED)
    [owed] = cut_off.indoors.rows("callback")
    attempt = cut_off.office.rules.settings.callback_attempt_timeout
    assert owed["due_at"] == owed["created_at"] + attempt + timedelta(seconds=1)
    assert [one.id for one in cut_off.indoors.run(callbacks.take_all, owed["due_at"], attempt)] == [owed["id"]]


async def test_an_answer_that_is_told_twice_is_no_late_one(anywhere: Work, redis_url: str) -> None:
    """The commit was done, and its acknowledgement lost: the reservation is not cancelled behind the eMSP's back."""
    indoors = anywhere.indoors
    indoors.now = utc_now()
    indoors.reserve(anywhere.partner, anywhere.location)
    claimed = indoors.claim(anywhere.station)
    assert claimed is not None
    told = claimed.id, anywhere.station, "ocpp1.6", ACCEPTED
    await HouseDesk(anywhere.office).answered(*told)
    await HouseDesk(anywhere.office).answered(*told)
    assert indoors.run(conclusions.answered, claimed.id, "ocpp1.6", ACCEPTED, indoors.rules, utc_now()) == Moved()
    assert indoors.reservation()["state"] == "ACTIVE"
    assert len(indoors.rows("command")) == len(indoors.rows("callback")) == 1
    assert [job for job, _ in rung_for(redis_url)] == [Job.POST]


async def test_an_answer_that_cannot_be_judged_is_kept(work: Work, redis_url: str) -> None:
    made = sent(work)
    with work.indoors.db() as db:
        db.execute(update(table).where(table.c.id == made).values(order={"kind": "nobody knows"}))
    with capture_logs() as logged:
        await HouseDesk(work.office).answered(made, work.station, "ocpp1.6", ACCEPTED)
    assert [one["event"] for one in logged] == ["an answer cannot be judged now"]
    [row] = work.indoors.rows("command", id=made)
    assert (row["state"], row["ending"], row["answer"]["status"]) == ("SENT", Ending.RESULT, "Accepted")
    assert rung_for(redis_url) == [(Job.CONCLUDE, [made])]


async def test_a_late_answer_changes_no_result(anywhere: Work, redis_url: str) -> None:
    made = sent(anywhere)
    desk = HouseDesk(anywhere.office)
    await desk.answered(made, anywhere.station, "ocpp1.6", Answer(ending=Ending.NO_ANSWER))
    await desk.answered(made, anywhere.station, "ocpp1.6", ACCEPTED)
    assert anywhere.state(made) == ("CONCLUDED", "TIMEOUT")
    assert [job for job, _ in rung_for(redis_url)] == [Job.POST]


async def test_what_was_answered_before_and_not_judged_is_judged_with_it(anywhere: Work) -> None:
    first, second = sent(anywhere), anywhere.start("two")
    with anywhere.indoors.db() as db:
        told = {"ending": Ending.RESULT, "answer": {"ending": "RESULT", "status": "Accepted"}, "answered_at": utc_now()}
        db.execute(update(table).where(table.c.id == first).values(subprotocol="ocpp1.6", **told))
    anywhere.indoors.claim(anywhere.station)
    await HouseDesk(anywhere.office).answered(second, anywhere.station, "ocpp1.6", ACCEPTED)
    assert [anywhere.state(one) for one in (first, second)] == [("CONCLUDED", "ACCEPTED")] * 2


async def test_a_lost_connection_ends_nothing(anywhere: Work, redis_url: str) -> None:
    made = sent(anywhere)
    await HouseDesk(anywhere.office).answered(made, anywhere.station, "ocpp1.6", Answer(ending=Ending.CONNECTION_LOST))
    assert anywhere.state(made) == ("SENT", None)
    assert rung_for(redis_url) == []
