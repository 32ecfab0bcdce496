"""What operators are shown of a partner, the same on the command line and in the operator API; never its tokens."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.called import CALLED
from gateway.domain.parties import Partner
from gateway.store import endpoints, partner_tokens, partners, pushes, token_syncs
from ocpi.headers import Encoding

#: What costs nothing is forgiven to everybody.
ALWAYS = ("missing_request_ids", "wrapped_or_absent_data", "party_ids_in_any_case", "envelope_with_404")
_ALWAYS = "always"


def tolerance(one: Partner) -> dict[str, str]:
    """What is forgiven to this partner, or said in its own way."""
    switches = {
        "raw_token": one.encoding is Encoding.RAW,
        "partial_tokens": one.lenient_token,
        "missing_routing_headers": one.lenient_routing,
        "other_trailing_slash": one.trailing_slash,
    }
    return {name: "yes" if on else "no" for name, on in switches.items()} | dict.fromkeys(ALWAYS, _ALWAYS)


def partner(db: Connection, one: Partner) -> dict[str, Any]:
    """A partner in a list."""
    return {
        "id": one.id,
        "name": one.name,
        "country_code": one.party.country_code,
        "party_id": one.party.party_id,
        "role": one.role,
        "version": one.version,
        "state": one.state,
        "callback_hosts": list(one.callback_hosts),
        "allow_unlock": one.allow_unlock,
        "lenient_token": one.lenient_token,
        "token_out_encoding": one.encoding,
        "keep_pushing": one.keep_pushing,
        "authorize_unknown": one.authorize_unknown,
        "endpoints": called_at(db, one.id),
        "failing_pushes": pushes.failing(db, one.id),
    }


def whole_partner(db: Connection, one: Partner, now: datetime) -> dict[str, Any]:
    """All that may be shown of it."""
    pull = token_syncs.find(db, one.id)
    return partner(db, one) | {
        "versions_url": one.versions_url,
        "registered_at": partners.registered_at(db, one.id),
        "parties": [
            {"country_code": each.party.country_code, "party_id": each.party.party_id, "role": each.role}
            for each in partners.roles(db, one.id)
        ],
        "open_parties": one.open_parties,
        "tolerance": tolerance(one),
        "tokens_in": [
            {name: row[name] for name in ("scope", "created_at", "used_at", "expires_at")}
            for row in partner_tokens.of_partner(db, one.id, now)
        ],
        "token_sync": None
        if pull is None
        else {name: pull[name] for name in ("synced_at", "due_at", "taken", "skipped", "error")},
    }


def called_at(db: Connection, partner_id: int) -> dict[str, str]:
    """``{module: URL}``, in the table's order."""
    known = {(one["identifier"], one["role"]): one["url"] for one in endpoints.of_partner(db, partner_id)}
    return {str(module): known[module, role] for module, role in CALLED.items() if (module, role) in known}
