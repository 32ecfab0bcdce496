"""Stations in the operator API: what they tell of themselves, who may use them now, and their variables."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from sqlalchemy import Connection

from gateway import errands, reserving, shown
from gateway.api.operator_asked import Name, Variable
from gateway.api.operator_edge import answers, problems
from gateway.api.operator_models import Page, ReservationCheck, Station, VariableOutcome, WholeStation
from gateway.api.operator_orders import Limit, TheOffice, Wait, followed, missing, names_of, next_after
from gateway.domain.lifecycle import SessionState
from gateway.holding import held_up_at
from gateway.house import Rules, utc_now
from gateway.store import sessions, stations
from gateway.store.prepared import Row

router = APIRouter(prefix="/stations", tags=["stations"])

#: More than any station has EVSEs.
_MOST_CHARGES = 1000
_CONCLUDED = answers(VariableOutcome, 200, "It is concluded.")


@router.get("")
async def list_stations(office: TheOffice, limit: Limit = 50, after: Name | None = None) -> Page[Station]:
    """In the order of their identities."""
    return await office.store.read(_page, limit, after or "")


@router.get("/{station}", responses=problems(404))
async def show_station(office: TheOffice, station: Name) -> WholeStation:
    """Its connection, abilities and connectors, what is bound to it, and the charges that run there."""
    return await office.store.read(_whole, station)


@router.get("/{station}/reservation-check", responses=problems(404))
async def check_reservations(
    office: TheOffice,
    station: Name,
    evse: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="1.6: its connectorId.")] = None,
    connector_type: Name | None = None,
    token: Annotated[str, Query(max_length=255, description="As the station knows it.")] = "",
    group: Name | None = None,
) -> ReservationCheck:
    """Whether an EVSE, a type of connector or the station is reserved now, and for whom."""
    return await office.store.read(_check, station, evse, connector_type, token, group)


@router.put("/{station}/variables/{variable}", status_code=202, responses=_CONCLUDED | problems(404, 409))
async def set_variable(
    office: TheOffice, response: Response, station: Name, variable: Name, wanted: Variable, wait: Wait = 0
) -> VariableOutcome:
    """2.x SetVariables of Component.Variable, 1.6 ChangeConfiguration of a key."""
    errand = await office.store.write(_configure, station, variable, wanted.value, office.rules)
    row = await followed(office, response, errand, wait)
    return VariableOutcome.model_validate(shown.outcome(row) | {"variable": variable})


def _page(db: Connection, limit: int, after: str) -> Page[Station]:
    found = stations.listed(db, after=after, most=limit + 1)
    told = [shown.station(db, row) for row in found[:limit]]
    return Page[Station].model_validate({"items": told, "next": next_after(found, limit)})


def _whole(db: Connection, station: str) -> WholeStation:
    told, names = shown.station(db, _known(db, station)), names_of(db)
    running = sessions.listed(db, station=station, state=SessionState.ACTIVE, most=_MOST_CHARGES)
    return WholeStation.model_validate(told | {"sessions": [shown.session(row, names) for row in running]})


def _check(
    db: Connection, station: str, evse: int | None, connector_type: str | None, token: str, group: str | None
) -> ReservationCheck:
    _known(db, station)
    now = utc_now()
    said = reserving.may_use(db, station, evse, connector_type, token, group, now)
    return ReservationCheck(status=said, held_up=sorted(held_up_at(db, station, now)))


def _configure(db: Connection, station: str, variable: str, value: str, rules: Rules) -> int:
    _known(db, station)
    if station not in stations.online(db):
        raise HTTPException(409, f"Charging station {station} is offline.")
    return errands.configure(db, rules, station, variable, value, utc_now())


def _known(db: Connection, station: str) -> Row:
    row = stations.find(db, station)
    if row is None:
        raise missing(f"station {station!r}")
    return row
