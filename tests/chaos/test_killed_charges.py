"""A charge on the way of which every process is killed: started once, stopped once, one Session, one CDR."""

import asyncio

from tests.chaos.test_killed_processes import a_place, every_process, frozen, gateway, kill
from tests.support.gateway import Gateway
from tests.support.station import ScriptedStation, now, token_in

__all__ = ["gateway"]


@every_process
async def test_a_charge_is_started_and_stopped_once_whatever_is_killed(gateway: Gateway, process: str):
    async with a_place(gateway) as (emsp, station, location):
        async with frozen(gateway, "worker-1"):
            started = await emsp.start_session(location)
            await kill(gateway, process, station)
        assert await emsp.result(started) == "ACCEPTED"
        transaction = await station.begin(token_in(await station.asked_for("START_SESSION")))
        session = await emsp.session_becomes(None, "ACTIVE")
        async with frozen(gateway, "worker-1"):
            stopped = await emsp.stop_session(session["id"])
            await kill(gateway, process, station)
        assert await emsp.result(stopped) == "ACCEPTED"
        await station.end(transaction)
        await emsp.session_becomes(session["id"], "COMPLETED")
        cdr = await emsp.next_cdr()
        await asyncio.sleep(0.7)  # more than two sweeps
        assert (emsp.results(started), emsp.results(stopped)) == (["ACCEPTED"], ["ACCEPTED"])
        assert [len(asked_by(station, command)) for command in ("START_SESSION", "STOP_SESSION")] == [1, 1]
        assert [one["id"] for one in await emsp.sessions()] == [session["id"]]
        assert [one["id"] for one in emsp.cdrs] == [cdr["id"]]


@every_process
async def test_what_a_station_tells_while_it_is_killed_is_not_lost(gateway: Gateway, process: str):
    """A station says again what was not answered (1.6 §4.1, 2.x E04): then it is noted once."""
    async with a_place(gateway) as (emsp, station, location):
        assert await emsp.result(await emsp.start_session(location)) == "ACCEPTED"
        token = token_in(await station.asked_for("START_SESSION"))
        began = {"connectorId": 1, "idTag": token, "meterStart": 0, "timestamp": now()}
        first = await station.call("StartTransaction", began)
        await kill(gateway, process, station)
        again = await station.call("StartTransaction", began)
        assert again["transactionId"] == first["transactionId"]
        session = await emsp.session_becomes(None, "ACTIVE")
        ended = {"transactionId": first["transactionId"], "meterStop": 1000, "timestamp": now()}
        await station.call("StopTransaction", ended)
        await kill(gateway, process, station)
        await station.call("StopTransaction", ended)
        await emsp.session_becomes(session["id"], "COMPLETED")
        cdr = await emsp.next_cdr()
        await asyncio.sleep(0.7)
        assert [one["id"] for one in await emsp.sessions()] == [session["id"]]
        assert [one["id"] for one in emsp.cdrs] == [cdr["id"]]


def asked_by(station: ScriptedStation, command: str) -> list[dict]:
    return station.all_asked(station.action(command))
