"""Charging preferences: whether a charge can be steered at all (mod_sessions §Set: Charging Preferences)."""

from sqlalchemy import Connection

from gateway.domain.parties import Parties, Partner
from gateway.store import sessions, topology
from ocpi.headers import Party
from ocpi.locations import Capability


def is_capable(db: Connection, partner: Partner, parties: Parties, session_id: str) -> bool | None:
    """Of the EVSE of a Session; None when these parties have no such Session."""
    found = sessions.by_session_id(db, session_id)
    if found is None or (found["partner"], found["cpo"]) != (partner.id, parties.cpo.id):
        return None
    if Party(found["from_country"], found["from_party"]) != parties.emsp:
        return None
    place = found["location"]
    if place is None or not topology.has_evse(db, place, found["evse_uid"]):
        return False
    return Capability.CHARGING_PREFERENCES_CAPABLE in topology.capabilities(db, place, found["evse_uid"])
