"""What is owed to a partner that is not one any more is given up in sight, and said to nobody."""

from gateway.house import utc_now
from gateway.registration import remove
from gateway.simulators.faults import EMSP_FAULTS, Faults
from tests.support.gateway import Gateway, eventually
from tests.support.scene import Scene, scene
from tests.support.station import Silence


def leaves(place: Scene) -> None:
    with place.gateway.database() as db:
        assert remove(db, place.emsp.partner_id, utc_now())


async def test_a_result_that_is_due_is_given_up(hasty: Gateway) -> None:
    async with scene(hasty) as place:
        place.emsp.faults = Faults(["500"], EMSP_FAULTS)
        told = await place.emsp.unlock(place.location)
        await place.emsp.callback(told.name)
        leaves(place)
        [owed] = hasty.rows("callback", partner=place.emsp.partner_id)
        assert (owed["state"], owed["ended_at"] is not None) == ("ABANDONED", True)
        count = len(place.emsp.callbacks)
        with hasty.database() as db:
            assert not remove(db, place.emsp.partner_id, utc_now())
        assert len(place.emsp.callbacks) - count <= 1  # one may have been on its way


async def test_a_result_that_comes_later_is_given_up_with_the_reason(hasty: Gateway) -> None:
    async with scene(hasty, script={"UnlockConnector": Silence()}) as place:
        told = await place.emsp.unlock(place.location)
        await place.station.asked_for("UNLOCK_CONNECTOR")
        leaves(place)
        owed = await eventually(lambda: hasty.rows("callback", partner=place.emsp.partner_id))
        await eventually(lambda: hasty.rows("callback", id=owed[0]["id"])[0]["state"] == "ABANDONED")
        [attempt] = hasty.rows("callback_attempt", callback=owed[0]["id"])
        assert attempt["error"] == "The partner was removed."
        assert place.emsp.results(told) == []


async def test_a_session_is_not_told_any_more(hasty: Gateway) -> None:
    async with scene(hasty) as place:
        session = await place.charge()
        await place.emsp.session_becomes(session, "ACTIVE")
        leaves(place)
        [row] = hasty.rows("session", session_id=session)
        await place.station.end(row["transaction_id"])
        await eventually(lambda: hasty.rows("session", session_id=session)[0]["state"] == "COMPLETED")
        async with hasty.emsp() as witness:  # whose push goes out, so that this one's would have
            again = await place.charge(witness)
            await witness.session_becomes(again, "ACTIVE")
        assert place.emsp.sessions_pushed[session]["status"] == "ACTIVE"
        assert {one["due_at"] for one in hasty.rows("push", partner=place.emsp.partner_id)} == {None}
