"""Open routing: for which of our parties a command is that does not say it (transport_and_format §Open Routing)."""

from sqlalchemy import Connection

from gateway.domain.parties import Cpo, Ends, Partner, said
from gateway.store import locations, reservations, sessions
from ocpi.commands import CancelReservation, Command, ReserveNow, StartSession, StopSession, UnlockConnector


def meant(db: Connection, partner: Partner, ends: Ends, command: Command) -> Cpo:
    """The one that has what the command names; where none has, the first says so. Raises InvalidParameters for two."""
    if ends.cpo is not None or not ends.cpos:
        return said(ends.cpo)
    having = _having(db, partner, ends, command)
    found = [cpo for cpo in ends.cpos if cpo.id in having]
    return said(None) if len(found) > 1 else (found or ends.cpos)[0]


def _having(db: Connection, partner: Partner, ends: Ends, command: Command) -> set[int]:
    match command:
        case StopSession(session_id=session_id):
            session = sessions.by_session_id(db, session_id)
            return set() if session is None else {session["cpo"]}
        case CancelReservation(reservation_id=reservation_id):
            held = reservations.newest(db, partner.id, ends.emsp.key, reservation_id)
            return set() if held is None else {held["cpo_id"]}
        case ReserveNow() | StartSession() | UnlockConnector():
            cpos = [cpo.id for cpo in ends.cpos]
            return {one.row["cpo_id"] for one in locations.named(db, partner, cpos, command.location_id)}
    return set()
