"""One card that two eMSPs call theirs: neither gets what the other has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.holding import taken
from ocpi.headers import Party
from tests.support.charges import CARD
from tests.support.indoors import Indoors, token_body


@pytest.fixture
def indoors(tmp_path: Path) -> Iterator[Indoors]:
    made = Indoors(f"sqlite:///{tmp_path / 'gateway.db'}")
    yield made
    made.close()


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
