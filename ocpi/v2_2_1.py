"""OCPI 2.2.1: the version that the models are written in."""

from types import MappingProxyType

from ocpi.cdrs import CDR
from ocpi.commands import CancelReservation, CommandType, ReserveNow, StartSession, StopSession, UnlockConnector
from ocpi.dialect import Dialect
from ocpi.locations import Location
from ocpi.sessions import Session
from ocpi.status import StatusCode
from ocpi.tariffs import Tariff
from ocpi.tokens import Token


def _as_it_is(location: Location) -> Location:
    return location


DIALECT = Dialect(
    version="2.2.1",
    commands=MappingProxyType(
        {
            CommandType.CANCEL_RESERVATION: CancelReservation,
            CommandType.RESERVE_NOW: ReserveNow,
            CommandType.START_SESSION: StartSession,
            CommandType.STOP_SESSION: StopSession,
            CommandType.UNLOCK_CONNECTOR: UnlockConnector,
        }
    ),
    token=Token,
    session=Session,
    cdr=CDR,
    tariff=Tariff,
    narrow=_as_it_is,
    hub_codes=frozenset(code for code in StatusCode if code >= StatusCode.HUB_ERROR),
)
