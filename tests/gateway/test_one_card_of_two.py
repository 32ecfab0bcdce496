"""One card that two eMSPs call theirs: neither gets what the other has."""

import pytest
from sqlalchemy import update

from gateway import charging
from gateway.holding import taken
from gateway.store import rows, tokens
from gateway.whitelists import Grant, decide, grant
from ocpi.headers import Party
from ocpi.sessions import AuthMethod
from ocpi.tokens import Token
from ocpp_bridge.events import Phase, TransactionChanged
from ocpp_bridge.orders import RequestStart
from tests.support.charges import CARD
from tests.support.indoors import Indoors, token_body


@pytest.mark.parametrize("named", ["E1", None])
@pytest.mark.parametrize("ocpp", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
@pytest.mark.parametrize("same_hub", [False, True])
def test_a_start_does_not_get_the_reservation_of_another_emsp(
    indoors: Indoors, ocpp: str, named: str | None, same_hub: bool
) -> None:
    one, two = Party("DE", "ONE"), Party("DE", "TWO")
    hub = indoors.partner(one, role="HUB" if same_hub else "EMSP")
    location, station = indoors.one_evse(ocpp)
    indoors.reserve(hub, location, token=token_body(one, CARD.value, "RFID"), emsp=one)
    indoors.next(station)
    for emsp in (two, one):
        partner = hub if same_hub or emsp == one else indoors.partner(two)
        body = {"token": token_body(emsp, CARD.value, "RFID"), "location_id": location, "evse_uid": named}
        indoors.ask(partner, "START_SESSION", body, emsp=emsp)
        order = indoors.claim(station)
        assert order is not None
        why = indoors.run(taken, station, order.id, order.order, indoors.now)
        assert why == ("The EVSE is reserved for somebody else." if emsp == two else "")


def test_a_charge_is_of_the_emsp_whose_start_it_answers(indoors: Indoors) -> None:
    one, two = indoors.partner(Party("DE", "ONE")), indoors.partner(Party("DE", "TWO"))
    location, station = indoors.one_evse("ocpp2.0.1")
    indoors.start(two, location, token=token_body(two.party, CARD.value, "RFID"))
    start = indoors.next(station).order
    assert isinstance(start, RequestStart)
    indoors.reserve(one, location, token=token_body(one.party, CARD.value, "RFID"))
    indoors.next(station)
    event = TransactionChanged(
        phase=Phase.STARTED,
        transaction_id="T",
        at=indoors.now,
        seq=0,
        evse=1,
        connector=1,
        id_token=CARD,
        remote_start_id=start.remote_start_id,
    )
    indoors.run(charging.transaction, station, event, indoors.rules, indoors.now)
    states = [(row["partner"], row["state"]) for row in indoors.rows("session")]
    assert states == [(two.id, "ACTIVE"), (one.id, "RESERVATION")]
    assert indoors.reservation()["state"] == "ACTIVE"


@pytest.mark.parametrize(("state", "asked"), [("ACTIVE", 1), ("SUSPENDED", 0), ("REMOVED", 0)])
def test_a_card_that_was_good_once_is_not_when_its_emsp_is_gone(indoors: Indoors, state: str, asked: int) -> None:
    partner = indoors.partner()
    _, station = indoors.one_evse("ocpp2.0.1")
    card = Token.model_validate(token_body(partner.party, CARD.value, "RFID", whitelist="ALWAYS"))
    indoors.run(tokens.put_token, partner.id, card)
    known = indoors.run(decide, station, CARD, (1, 1), indoors.now)
    given = Grant(who=known.candidates[0], token=card, how=AuthMethod.WHITELIST, until=indoors.now)
    indoors.run(grant, station, CARD, given, known.site, indoors.rules, indoors.now)
    with indoors.db() as db:
        db.execute(update(rows.partner).values(state=state))
    assert len(indoors.run(decide, station, CARD, (1, 1), indoors.now).candidates) == asked
