"""A place with prices, and a driver there: reservations and charges from beginning to end, without processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway import charging, reservations
from gateway.domain.parties import Cpo, Partner
from gateway.store import tariffs, topology
from ocpi.headers import Party
from ocpi.locations import Location
from ocpi.tariffs import Tariff
from ocpp_bridge.events import Phase, Reading, TransactionChanged
from ocpp_bridge.orders import IdToken
from tests.support.gateway import Spot, location_body
from tests.support.indoors import ACCEPTED, Indoors, token_body
from tests.support.tariffs import tariff

CARD = IdToken(value="04AABBCC", type="ISO14443")


@dataclass
class Driver:
    """At a 1.6 station of one connector, with a card of a partner."""

    indoors: Indoors
    partner: Partner
    location: str
    station: str
    #: Of whom the card is, behind a hub.
    emsp: Party | None = None

    @property
    def card(self) -> dict[str, Any]:
        return token_body(self.emsp or self.partner.party, CARD.value, "RFID")

    def reserves(self, id: str = "R-1", **changes: Any) -> dict[str, Any]:
        """The station holds it; the reservation."""
        body = self.indoors.reserve_body(self.partner, self.location, id=id, token=self.card, **changes)
        self.indoors.ask(self.partner, "RESERVE_NOW", body, emsp=self.emsp)
        self.indoors.next(self.station, ACCEPTED)
        return self.indoors.reservation(reservation_id=id)

    def cancels(self, id: str = "R-1") -> None:
        self.indoors.cancel(self.partner, id, emsp=self.emsp)
        self.indoors.next(self.station, ACCEPTED)

    def does_not_come(self) -> None:
        self.indoors.pass_(hours=2)
        self.indoors.run(reservations.expire, self.indoors.rules, self.indoors.now)

    def asks_to_start(self, **changes: Any) -> None:
        body = {"token": self.card, "location_id": self.location, "evse_uid": "E1"} | changes
        self.indoors.ask(self.partner, "START_SESSION", body, emsp=self.emsp)
        self.indoors.next(self.station, ACCEPTED)

    def begins(self, reservation: int | None = None, at: datetime | None = None) -> str:
        """The transaction's id."""
        noted = self.tells(Phase.STARTED, None, [(at or self.indoors.now, 0)], id_token=CARD, reservation=reservation)
        return str(noted.transaction_id)

    def goes_on(self, transaction: str, wh: float) -> None:
        self.tells(Phase.UPDATED, transaction, [(self.indoors.now, wh)])

    def ends(self, transaction: str, wh: float, **changes: Any) -> None:
        self.tells(Phase.ENDED, transaction, [(self.indoors.now, wh)], **changes)

    def charges(self, reservation: int | None = None, wh: float = 10_000) -> None:
        """An hour of charging."""
        transaction = self.begins(reservation)
        self.indoors.pass_(hours=1)
        self.ends(transaction, wh)

    def tells(
        self, phase: Phase, transaction: str | None, registers: Sequence[tuple[datetime, float]], **changes: Any
    ) -> charging.Noted:
        readings = tuple(Reading(at=at, register_wh=Decimal(str(wh))) for at, wh in registers)
        given = {"at": registers[-1][0], "connector": 1, "readings": readings} | changes
        event = TransactionChanged(phase=phase, transaction_id=transaction, **given)
        return self.indoors.run(charging.transaction, self.station, event, self.indoors.rules, self.indoors.now)

    def cdrs(self) -> list[dict[str, Any]]:
        """The bodies, oldest first."""
        return [row["body"] for row in self.indoors.rows("cdr")]


def priced_location(indoors: Indoors, station: str | None, *ids: str, cpo: Cpo | None = None) -> str:
    """A Location of one EVSE with these tariff_ids; at no station, when there is none."""
    cpo = cpo or indoors.cpo
    evse = 1 if station is not None and indoors.online[station] != "ocpp1.6" else None
    body = location_body(f"LOC-{station}", (Spot(station, evse=evse),), cpo.party)
    body["evses"][0]["connectors"][0]["tariff_ids"] = list(ids)
    with indoors.db() as db:
        location = topology.put_location(db, cpo.id, Location.model_validate(body), body)
        topology.bind(db, topology.evse_id(db, location, "E1"), None, station, (evse, 1))
    return str(body["id"])


def driver(
    indoors: Indoors, *elements: dict[str, Any], free: bool = False, subprotocol: str = "ocpp1.6", **changes: Any
) -> Driver:
    """Where these elements are the price; ``free``: where none is known."""
    indoors.run(tariffs.put, indoors.cpo.id, Tariff.model_validate(tariff("T-1", *elements, **changes)))
    station = indoors.station(subprotocol)
    location = priced_location(indoors, station, *([] if free else ["T-1"]))
    return Driver(indoors, indoors.partner(), location, station)
