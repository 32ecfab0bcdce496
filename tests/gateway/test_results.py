"""What a command's end means when the station's own answer is not the whole story."""

import pytest

from gateway import charging, reservations
from gateway.domain.results import NEVER_SENT, TIMED_OUT, judge_answer
from gateway.store import commands, sessions, stations
from ocpp_bridge.answers import Answer, Ending
from ocpp_bridge.events import Phase, TransactionChanged
from ocpp_bridge.meanings import DONE, NOT_SENT, Happened
from ocpp_bridge.orders import IdToken
from tests.support.indoors import ACCEPTED, REJECTED, START, Indoors


@pytest.mark.parametrize(
    ("state", "meaning"), [("RECEIVED", NEVER_SENT), ("DISPATCHED", NEVER_SENT), ("SENT", TIMED_OUT)]
)
def test_without_an_answer_the_deadline_speaks(state: str, meaning: object) -> None:
    assert judge_answer(None, state, None) is meaning


def test_the_station_s_answer_is_taken_as_its_version_means_it() -> None:
    assert judge_answer(ACCEPTED, "SENT", DONE) is DONE


def test_why_nothing_was_sent_is_told() -> None:
    told = judge_answer(Answer(ending=Ending.NOT_SENT, detail="It is offline."), "DISPATCHED", NOT_SENT)
    assert (told.result, told.happened) == (NOT_SENT.result, Happened.NO)
    assert told.text == f"{NOT_SENT.text} It is offline."
    assert judge_answer(Answer(ending=Ending.NOT_SENT), "SENT", NOT_SENT) is NOT_SENT


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (None, "REJECTED"),
        ("Available", "REJECTED"),
        ("Preparing", "REJECTED"),
        ("Charging", "EVSE_OCCUPIED"),
        ("SuspendedEV", "EVSE_OCCUPIED"),
        ("SuspendedEVSE", "EVSE_OCCUPIED"),
        ("Finishing", "EVSE_OCCUPIED"),
        ("Occupied", "EVSE_OCCUPIED"),
        ("Reserved", "EVSE_OCCUPIED"),
        ("Unavailable", "EVSE_INOPERATIVE"),
        ("Faulted", "EVSE_INOPERATIVE"),
    ],
)
def test_a_refused_start_is_explained_by_the_last_status(indoors: Indoors, status: str | None, result: str) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    if status is not None:
        indoors.run(stations.put_status, station, (0, 1), status, "", START)
        indoors.run(stations.put_status, station, (0, 2), "Charging", "", START)  # another connector says nothing of it
    indoors.start(partner, location)
    indoors.next(station, REJECTED)
    assert indoors.told() == [result]


def test_a_refused_start_without_a_cause_may_be_called_failed(tmp_path) -> None:
    indoors = Indoors(f"sqlite:///{tmp_path / 'failed.sqlite'}", start_refused="FAILED")
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.start(partner, location)
    indoors.next(station, REJECTED)
    assert indoors.told() == ["FAILED"]
    indoors.close()


def charge(indoors: Indoors, station: str, phase: Phase, transaction: str | None, **changes) -> str:
    event = TransactionChanged(phase=phase, transaction_id=transaction, at=indoors.now, connector=1, **changes)
    return indoors.run(charging.transaction, station, event, indoors.rules, indoors.now).transaction_id


@pytest.mark.parametrize(("over", "result"), [(True, "ACCEPTED"), (False, "REJECTED")])
def test_a_refused_stop_of_a_session_that_has_ended_has_reached_its_goal(
    indoors: Indoors, over: bool, result: str
) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.start(partner, location)
    token = IdToken(value=indoors.next(station).order.id_token.value)
    transaction = charge(indoors, station, Phase.STARTED, None, id_token=token)
    session = indoors.rows("session")[0]["session_id"]
    assert indoors.ask(partner, "STOP_SESSION", {"session_id": session.upper()}).response == "ACCEPTED"
    claimed = indoors.claim(station)
    if over:
        charge(indoors, station, Phase.ENDED, transaction)
    indoors.answer(station, claimed.id, REJECTED)
    assert indoors.told() == ["ACCEPTED", result]


def test_a_refused_cancellation_of_a_used_reservation_says_so(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.reserve(partner, location)
    order = indoors.next(station).order
    indoors.cancel(partner)
    claimed = indoors.claim(station)
    charge(indoors, station, Phase.STARTED, None, id_token=order.id_token, reservation=order.number)
    indoors.answer(station, claimed.id, REJECTED)
    assert indoors.told() == ["ACCEPTED", "REJECTED"]
    assert indoors.rows("callback")[-1]["result_text"] == "The reservation was used."
    assert indoors.reservation()["state"] == "USED"


def test_an_answer_in_a_forgotten_dialect_is_still_understood(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.start(partner, location)
    claimed = indoors.claim(station)
    indoors.run(commands.answered, claimed.id, "ocpp9", ACCEPTED, indoors.now)
    indoors.conclude(claimed.id)
    assert indoors.told() == ["ACCEPTED"]


def test_a_session_that_ended_is_not_stopped_again(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    indoors.start(partner, location)
    token = indoors.next(station).order.id_token
    transaction = charge(indoors, station, Phase.STARTED, None, id_token=token)
    charge(indoors, station, Phase.ENDED, transaction)
    [session] = indoors.rows("session")
    assert indoors.run(sessions.has_ended, session["id"]) is True
    assert indoors.ask(partner, "STOP_SESSION", {"session_id": session["session_id"]}).response == "REJECTED"
    assert indoors.ask(partner, "STOP_SESSION", {"session_id": "none"}).response == "UNKNOWN_SESSION"


def test_what_is_over_is_answered_without_asking_the_station(indoors: Indoors) -> None:
    partner, (location, station) = indoors.partner(), indoors.one_evse()
    texts = {}
    for state in ("Expired", "Removed", "Used"):
        indoors.reserve(partner, location, id=state)
        order = indoors.next(station).order
        if state == "Used":
            charge(indoors, station, Phase.STARTED, None, id_token=order.id_token, reservation=order.number)
        else:
            indoors.run(reservations.ended, station, order.number, state, indoors.rules, indoors.now)
        said = indoors.cancel(partner, state)
        texts[state] = said.text
        assert (said.response, said.dispatch) == ("REJECTED", ())
    assert texts == {
        "Expired": "The reservation has expired.",
        "Removed": "The charging station has ended the reservation.",
        "Used": "The reservation was used.",
    }
