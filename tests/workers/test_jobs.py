"""The jobs: found by name, given ids, harmless when they run twice."""

import asyncio
import importlib

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

from gateway import conclusions
from gateway.bell import QUEUE, Job, NotHeard
from gateway.house import utc_now
from gateway.simulators.emsp import EMSP_FAULTS
from gateway.simulators.faults import Faults
from gateway.store import commands
from ocpp_bridge.answers import Answer, Ending
from tests.support.indoors import ACCEPTED
from tests.workers.conftest import Work
from workers import jobs


@pytest.mark.parametrize("job", Job)
def test_every_job_name_leads_to_a_function(job: Job) -> None:
    module, name = job.rsplit(".", maxsplit=1)
    assert callable(getattr(importlib.import_module(module), name))


async def run(job, *ids: int) -> None:
    await job(list(ids))


async def test_what_is_rung_for_at_once_is_few_jobs_with_all_the_ids(work: Work, redis_url: str) -> None:
    ids = list(range(1, 21))
    await asyncio.gather(*(work.office.ring(Job.DISPATCH, [one]) for one in ids), work.office.ring(Job.CONCLUDE, [7]))
    with Redis.from_url(redis_url) as client:
        found = Queue(QUEUE, connection=client, serializer=JSONSerializer).jobs
        told = [(job.func_name, one) for job in found for one in job.args[0]]
    assert sorted(one for name, one in told if name == Job.DISPATCH) == ids
    assert [one for name, one in told if name == Job.CONCLUDE] == [7]
    assert len(found) < len(ids)
    assert all(callable(job.func) for job in found)


async def test_nothing_is_rung_for_nothing(work: Work) -> None:
    assert await work.office.ring(Job.DISPATCH, []) is True
    assert await work.redis.keys("rq:*") == []


async def test_a_command_s_way_with_every_job_run_twice(anywhere: Work) -> None:
    await anywhere.hold()
    command = anywhere.start()
    await run(jobs.dispatch, command)
    await run(jobs.dispatch, command)  # rung for twice is harmless: an order is claimed once
    assert await anywhere.letters() == 2
    anywhere.indoors.now = utc_now()
    claimed = anywhere.indoors.claim(anywhere.station)
    assert claimed is not None
    assert anywhere.indoors.claim(anywhere.station) is None
    anywhere.indoors.run(commands.answered, claimed.id, "ocpp1.6", ACCEPTED, utc_now())
    await run(jobs.conclude, command)
    await run(jobs.conclude, command)
    await run(jobs.dispatch, command)
    assert await anywhere.told() == ["ACCEPTED"]
    assert anywhere.state(command) == ("CONCLUDED", "ACCEPTED")
    assert await anywhere.letters() == 2


async def test_an_offline_station_s_command_fails_at_once_and_is_told(work: Work) -> None:
    command = work.start()
    await run(jobs.dispatch, command)
    await run(jobs.dispatch, command)
    assert await work.told() == ["FAILED"]
    assert "offline" in work.emsp.callbacks[0].json["message"][0]["text"]
    assert work.state(command) == ("CONCLUDED", "FAILED")


async def test_a_station_s_queue_is_short(work: Work) -> None:
    await work.hold()
    most = work.office.rules.settings.station_queue
    ids = [work.start(f"n{number}") for number in range(most + 2)]
    await run(jobs.dispatch, *ids)
    assert await work.told(2) == ["FAILED", "FAILED"]
    assert {one.name for one in work.emsp.callbacks} == {f"n{most}", f"n{most + 1}"}
    assert [state for state, _ in map(work.state, ids[:most])] == ["RECEIVED"] + ["DISPATCHED"] * (most - 1)
    assert await work.letters() == 1


async def test_what_another_process_has_concluded_is_posted_all_the_same(work: Work) -> None:
    """The bridge judges an answer itself when more news follows it at once; posting is a worker's."""
    await work.hold()
    command = work.start()
    await run(jobs.dispatch, command)
    work.indoors.now = utc_now()
    work.indoors.claim(work.station)
    told = command, work.station, "ocpp1.6", ACCEPTED, work.indoors.rules, utc_now()
    [held] = work.indoors.run(conclusions.judge, *told).held  # concluded here, posted by nobody
    await run(jobs.conclude, command)  # it is held for whoever is told of it
    assert work.emsp.callbacks == []
    await run(jobs.post, held)
    assert await work.told() == ["ACCEPTED"]
    await run(jobs.post, held)
    assert await work.told() == ["ACCEPTED"]


async def test_a_lost_connection_leaves_the_command_open_for_the_new_socket(work: Work) -> None:
    await work.hold()
    command = work.start()
    await run(jobs.dispatch, command)
    work.indoors.now = utc_now()
    work.indoors.claim(work.station)
    work.indoors.run(commands.answered, command, "ocpp1.6", Answer(ending=Ending.CONNECTION_LOST), utc_now())
    await run(jobs.conclude, command)
    assert work.state(command) == ("SENT", None)
    assert work.emsp.callbacks == []


async def test_ids_that_mean_nothing_do_nothing(work: Work) -> None:
    for job in jobs.FUNCTIONS.values():
        await run(job, 4711)
    await run(jobs.dispatch)
    assert work.emsp.callbacks == []


async def test_a_slow_emsp_holds_no_job_up(work: Work) -> None:
    work.emsp.faults = Faults(["slow=0.5"], EMSP_FAULTS)
    slow = work.start("slow")
    await run(jobs.dispatch, slow)  # it is offline: concluded, and being posted
    assert work.state(slow) == ("CONCLUDED", "FAILED")
    assert work.indoors.rows("callback")[0]["state"] == "DUE"
    await work.told()
    async with asyncio.timeout(20):
        while work.indoors.rows("callback")[0]["state"] == "DUE":
            await asyncio.sleep(0.02)
    assert work.indoors.rows("callback")[0]["state"] == "DELIVERED"


async def test_a_result_that_is_given_up_is_in_the_log(work: Work) -> None:
    work.emsp.faults = Faults(["status=404"], EMSP_FAULTS)
    command = work.start()
    with capture_logs() as logged:
        await run(jobs.dispatch, command)
        async with asyncio.timeout(20):
            while not logged:
                await asyncio.sleep(0.02)
    assert logged == [
        {
            "event": "a result was given up",
            "log_level": "warning",
            "command_id": command,
            "http_status": 404,
            "problem": "",
        }
    ]


async def test_without_redis_nobody_is_rung_for_and_the_asker_knows(cut_off: Work) -> None:
    assert await cut_off.office.ring(Job.DISPATCH, [1]) is False
    with pytest.raises(NotHeard):
        await cut_off.office.bell.ring(Job.CONCLUDE, [1])
