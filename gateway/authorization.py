"""Authorization, the story: what a station is told of a token (mod_commands §ReserveNow, §StartSession)."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping

from gateway.domain.lifecycle import ReservationState
from gateway.store import reservations, sessions, tokens
from ocpi.headers import Party
from ocpp_bridge.events import TokenStatus
from ocpp_bridge.orders import IdToken

INVALID = TokenStatus(status="Invalid")


def authorize(db: Connection, station: str, token: IdToken, now: datetime) -> TokenStatus:
    """Accepted for what a command brought here: for good, within its window, or while its reservation or charge lasts.

    The eMSP has authorised it already and is not asked (mod_commands §ReserveNow, §StartSession).
    """
    known = permissions(db, station, token.value, now)
    return accepted(known[0]) if known else INVALID


def permissions(db: Connection, station: str, token: str, now: datetime) -> list[RowMapping]:
    """The eMSPs whose commands authorise the token there now, the newest first."""
    return [known for known in tokens.authorized(db, station, token) if _lasts(db, known, now)]


def accepted(known: RowMapping) -> TokenStatus:
    group = known["group_id_token"]
    return TokenStatus(status="Accepted", group=IdToken(value=group) if group else None)


def owner(row: RowMapping) -> tuple[int, str]:
    """(connection, folded party): whose an authorization is; reservations are told apart in the same way."""
    return row["partner"], Party(row["from_country"], row["from_party"]).key


def _lasts(db: Connection, known: RowMapping, now: datetime) -> bool:
    if known["until"] is None or now < known["until"] or _holds(db, known):
        return True
    # The start that used its reservation up is answered too, and told again when the answer was lost.
    return sessions.runs_for(db, known["station"], known["command"])


def _holds(db: Connection, known: RowMapping) -> bool:
    return any(
        held["state"] == ReservationState.ACTIVE and (held["partner"], held["party_key"]) == owner(known)
        for held in reservations.live_for_token(db, known["station"], [known["token_key"]])
    )
