"""Reservations in the operator API: all that stations hold, the CPO's own, and its cancelling of anybody's."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from gateway import reserving, shown
from gateway.api.operator_asked import Cancellation, Name, NewReservation
from gateway.api.operator_edge import answers, problems
from gateway.api.operator_models import Page, Reservation, ReservationOutcome, WholeReservation
from gateway.api.operator_orders import After, Limit, TheOffice, Wait, followed, missing, next_after
from gateway.domain.lifecycle import ReservationState
from gateway.house import Rules, utc_now
from gateway.office import Office
from gateway.store import reservations, stations
from gateway.store.prepared import Row

Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The integer by which its station knows it.")]

router = APIRouter(prefix="/reservations", tags=["reservations"])

_CONCLUDED = answers(ReservationOutcome, 200, "It is concluded.")


@router.get("")
async def list_reservations(
    office: TheOffice,
    station: Name | None = None,
    state: ReservationState | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Reservation]:
    """What stations hold for whom, and which EVSEs that holds up."""
    return await office.store.read(_page, station, state, limit, after)


@router.get("/{number}", responses=problems(404))
async def show_reservation(office: TheOffice, number: Number) -> WholeReservation:
    """Where its party moved it to another station, the one there."""
    return await office.store.read(_whole, number)


@router.post("", status_code=202, responses=_CONCLUDED | problems(409))
async def make_reservation(
    office: TheOffice, response: Response, wanted: NewReservation, wait: Wait = 0
) -> ReservationOutcome:
    """Reserve for the CPO's own driver: an EVSE, any with a type of connector, or any of the station."""
    return await _settled(office, response, await office.store.write(_make, wanted, office.rules), wait)


@router.post("/{number}/cancel", status_code=202, responses=_CONCLUDED | problems(404, 409))
async def cancel_reservation(
    office: TheOffice, response: Response, number: Number, wanted: Cancellation, wait: Wait = 0
) -> ReservationOutcome:
    """Cancel a reservation at its station; its eMSP is told CANCELED_RESERVATION, whatever the station says."""
    errand = await office.store.write(_cancel, number, wanted.reason, office.rules)
    return await _settled(office, response, errand, wait)


def _page(db: Connection, station: str | None, state: str | None, limit: int, after: int | None) -> Page[Reservation]:
    found = reservations.listed(db, station=station, state=state, after=after, most=limit + 1)
    told = shown.reservations(db, found[:limit], utc_now())
    return Page[Reservation].model_validate({"items": told, "next": next_after(found, limit)})


def _whole(db: Connection, number: int) -> WholeReservation:
    row = shown.in_force(reservations.listed(db, number=number))
    if row is None:
        raise missing(f"reservation {number}")
    [told] = shown.whole_reservations(db, [row], utc_now())
    return WholeReservation.model_validate(told)


def _make(db: Connection, asked: NewReservation, rules: Rules) -> int:
    wanted = reserving.Wanted(
        location_id=asked.location_id,
        token=asked.token.uid,
        token_type=asked.token.type,
        group=asked.token.group,
        until=asked.until,
        evse_uid=asked.evse_uid,
        connector_type=asked.connector_type,
    )
    return reserving.make(db, wanted, rules, stations.online(db), utc_now())


def _cancel(db: Connection, number: int, reason: str, rules: Rules) -> int:
    if reservations.of_number(db, number) is None:
        raise missing(f"reservation {number}")
    return reserving.cancel(db, number, reason, rules, utc_now())


async def _settled(office: Office, response: Response, errand: int, wait: float) -> ReservationOutcome:
    row = await followed(office, response, errand, wait)
    held: Row = await office.store.read(reservations.by_id, row["reservation"])
    told = shown.outcome(row) | {"number": held["number"], "state": held["state"]}
    return ReservationOutcome.model_validate(told)
