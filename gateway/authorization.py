"""Authorization, the story: what a station is told of a token (mod_commands §ReserveNow, §StartSession)."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping

from gateway.domain.lifecycle import ReservationState
from gateway.store import reservations, sessions, tokens
from ocpp_bridge.events import TokenStatus
from ocpp_bridge.orders import IdToken

INVALID = TokenStatus(status="Invalid")


def authorize(db: Connection, station: str, token: IdToken, now: datetime) -> TokenStatus:
    """Accepted for what a command brought here: for good, within its window, or while its reservation or charge lasts.

    The eMSP has authorised it already and is not asked (mod_commands §ReserveNow, §StartSession).
    """
    known = permission(db, station, token.value, now)
    return INVALID if known is None else accepted(known)


def permission(db: Connection, station: str, token: str, now: datetime) -> RowMapping | None:
    known = tokens.authorized(db, station, token)
    if known is None or known["until"] is None or now < known["until"] or _holds(db, station, token):
        return known
    # The start that used its reservation up is answered too, and told again when the answer was lost.
    return known if sessions.runs_for(db, station, known["command"]) else None


def accepted(known: RowMapping) -> TokenStatus:
    group = known["group_id_token"]
    return TokenStatus(status="Accepted", group=IdToken(value=group) if group else None)


def _holds(db: Connection, station: str, token: str) -> bool:
    held = reservations.live_for_token(db, station, [token])
    return any(one["state"] == ReservationState.ACTIVE for one in held)
