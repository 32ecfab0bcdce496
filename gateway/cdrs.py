"""CDRs, the story: what a Session was and what it costs, sealed when it is over, and taken back when it was wrong."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfoNotFoundError

import structlog
from sqlalchemy import Connection

from gateway import terms
from gateway.domain import metering, pricing
from gateway.domain.lifecycle import ReservationState, SessionState
from gateway.domain.pricing import Bill
from gateway.domain.signatures import signed_data
from gateway.domain.usage import Activity, Stretch
from gateway.store import cdrs as table
from gateway.store import pushes, reservations, sessions, transactions
from gateway.store.prepared import Row
from ocpi.cdrs import CDR, CdrLocation
from ocpi.sessions import AuthMethod, CdrToken, Price
from ocpi.tariffs import Tariff
from ocpi.versions import ModuleID

log = structlog.get_logger(__name__)


class NotPossible(Exception):
    """The CDR cannot be made, or credited; the message is the sentence that says why."""


def settle(db: Connection, session_pk: int, now: datetime) -> None:
    """A Session is over: its CDR, once, however often this is called, if it is one that a partner is to pay for.

    Raises NotPossible.
    """
    row = sessions.by_pk(db, session_pk)
    if row["state"] == SessionState.COMPLETED and not table.of_session(db, session_pk):
        _make(db, row, 0, now)


def credit(db: Connection, cdr_pk: int, remark: str, now: datetime) -> int:
    """Take a CDR back with a Credit CDR, whose key this is (mod_cdrs §Credit CDRs); raises NotPossible."""
    row = table.by_pk(db, cdr_pk)
    if row["credits"] is not None:
        raise NotPossible(f"{row['cdr_id']} is a Credit CDR itself.")
    made = _take_back(db, row, remark, now)
    if made is None:
        raise NotPossible(f"CDR {row['cdr_id']} is credited already.")
    return made


def replace(db: Connection, cdr_pk: int, now: datetime) -> int | None:
    """A new CDR for the Session of one that was credited; None when nothing is to be paid. Raises NotPossible."""
    row = table.by_pk(db, cdr_pk)
    before = table.of_session(db, row["session"])
    standing = [one["cdr_id"] for one in before if one["credited_by"] is None]
    if standing:
        raise NotPossible(f"CDR {standing[0]} stands: credit it first.")
    return _make(db, sessions.by_pk(db, row["session"]), len(before), now)


def session_cost(db: Connection, row: Row, done: Sequence[Stretch]) -> Price | None:
    """What a Session's ``usage`` has cost so far; None when no price is known, which does not mean that it is free."""
    zone = _time_zone(db, row) if row["tariff"] is not None else None
    if zone is None:
        return None
    held = _reservation(db, row)
    if row["state"] == SessionState.COMPLETED and not _is_due(db, row, held):
        return Price(excl_vat=Decimal(0), incl_vat=Decimal(0))
    try:
        tariff = Tariff.model_validate(row["tariff"])
        return _billed(tariff, done, zone, expired=_has_expired(row, held)).total_cost
    except ValueError as problem:  # one that cannot be priced keeps its partner from none of the others
        log.error("what a Session costs cannot be told", session_id=row["session_id"], problem=repr(problem))
        return None


def usage(db: Connection, row: Row, until: datetime) -> list[Stretch]:
    """All that was done in a Session: the reservation, if it began with one, then what the station measured."""
    charged, held = row["transaction_id"] is not None, _reservation(db, row)
    began = row["start_date_time"] if charged else until
    kept = _reserved(row, held, began) if held is not None else []
    if not charged:
        return kept
    told, until = transactions.messages(db, row["id"]), max(began, until)
    measured = metering.stretches(told, began, until)
    # One that lasted no time is still a charge.
    at_once = Stretch(start=began, end=until, activity=Activity.CHARGING, energy=metering.energy(told))
    return kept + (measured or [at_once])


def _reserved(row: Row, held: Row, began: datetime) -> list[Stretch]:
    """From when it was made until the charge began, or it expired (mod_tariffs §TariffRestrictions, reservation)."""
    if held["partner"] is None:  # the CPO's own, used with an eMSP's card
        return []
    made, end = row["created_at"], min(began, held["expiry_date"])
    if row["transaction_id"] is not None and made >= end:  # the Session began with the charge
        return []
    return [Stretch(start=made, end=max(made, end), activity=Activity.RESERVATION)]


def _make(db: Connection, row: Row, credited: int, now: datetime) -> int | None:
    """The CDR after ``credited`` others that were taken back. It is named after them, so that it can be made once."""
    if not can_be_due(row):
        return None
    held = _reservation(db, row)
    if not _is_due(db, row, held):
        return None
    record = _record(db, row, credited, _has_expired(row, held), now)
    if row["transaction_id"] is None and record.total_cost.excl_vat <= 0:
        return None
    if held is not None and row["transaction_id"] is not None:
        _not_unused(db, row, now)
    return _add(db, record, row["id"], row, now)


def can_be_due(row: Row) -> bool:
    """A partner's charge, or its reservation at a price."""
    return row["partner"] is not None and (row["transaction_id"] is not None or row["tariff"] is not None)


def _reservation(db: Connection, row: Row) -> Row | None:
    return reservations.by_id(db, row["reservation"]) if row["reservation"] is not None else None


def _is_due(db: Connection, row: Row, held: Row | None) -> bool:
    """A charge always; a reservation that was not used when that was its driver's doing, and neither ours nor the
    station's (mod_commands §ReserveNow, §CancelReservation)."""
    if row["transaction_id"] is not None or held is None:
        return row["transaction_id"] is not None
    cancelled = held["state"] == ReservationState.CANCELLED and table.cancelled_by_partner(db, held["id"])
    return cancelled or _has_expired(row, held)


def _has_expired(row: Row, held: Row | None) -> bool:
    """Nobody came for it; not where its clean-up was never confirmed, so that it may have been held for nobody (P5)."""
    if row["transaction_id"] is not None or held is None:
        return False
    return held["state"] == ReservationState.EXPIRED and held["cleanup_at"] is None


def _not_unused(db: Connection, row: Row, now: datetime) -> None:
    """A station that was offline tells late that the reservation was used: that nobody came for it is taken back."""
    for one in table.of_reservation(db, row["reservation"]):
        if one["session"] != row["id"] and one["credited_by"] is None:
            _take_back(db, one, "The reservation was used.", now)


def _take_back(db: Connection, row: Row, remark: str, now: datetime) -> int | None:
    """All of the CDR again, with the negative amount; None when that was done before."""
    record = CDR.model_validate(row["body"])
    changed = {
        "id": f"{record.id}-C",
        "credit": True,
        "credit_reference_id": record.id,
        "total_cost": _negative(record.total_cost),
        "remark": remark,
        "last_updated": now,
    }
    return _add(db, record.model_copy(update=changed), row["session"], row, now, credits=row["id"])


def _record(db: Connection, row: Row, credited: int, expired: bool, now: datetime) -> CDR:
    zone = _time_zone(db, row)
    needed = {"Location": zone, "party of ours": row["cpo"], "token": row["cdr_token"]}
    unknown = [name for name, known in needed.items() if known is None]
    if zone is None or unknown:
        raise NotPossible(f"Its {' and '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not known.")
    try:
        name = uuid5(NAMESPACE_OID, f"{row['session_id']} {credited}")
        return _sealed(db, row, zone, str(name), expired, now)
    except ValueError as problem:
        raise NotPossible(f"It cannot be calculated: {str(problem).splitlines()[0]}.") from problem


def _sealed(db: Connection, row: Row, zone: str, name: str, expired: bool, now: datetime) -> CDR:
    tariff = Tariff.model_validate(row["tariff"]) if row["tariff"] is not None else None
    done = usage(db, row, row["end_date_time"])
    told = metering.in_order(transactions.messages(db, row["id"]))
    ours = table.party(db, row["cpo"])
    if tariff is not None and pricing.misses_current(tariff, done):
        log.warning("a tariff asks for a current that the station does not tell", session_id=row["session_id"])
    return CDR(
        country_code=ours["country_code"],
        party_id=ours["party_id"],
        id=name,
        start_date_time=done[0].start,
        end_date_time=max(row["end_date_time"], done[-1].end),
        session_id=row["session_id"],
        cdr_token=CdrToken.model_validate(row["cdr_token"]),
        auth_method=AuthMethod(row["auth_method"]),
        authorization_reference=row["authorization_reference"],
        cdr_location=_place(db, row),
        currency=tariff.currency if tariff is not None else row["currency"],
        tariffs=(tariff,) if tariff is not None else (),
        signed_data=signed_data([reading for message in told for reading in message.readings]),
        last_updated=now,
        **vars(_billed(tariff, done, zone, expired=expired)),
    )


def _billed(tariff: Tariff | None, done: Sequence[Stretch], time_zone: str, *, expired: bool) -> Bill:
    try:
        return pricing.bill(tariff, done, time_zone, expired)
    except ZoneInfoNotFoundError:
        log.error("a Location's time zone is not known here: UTC is taken instead", time_zone=time_zone)
        return pricing.bill(tariff, done, "UTC", expired)


def _time_zone(db: Connection, row: Row) -> str | None:
    """Of the place, as it was when the Session began there; None: it is not known where that was."""
    if row["time_zone"] is not None:
        return str(row["time_zone"])
    body = table.location_of(db, row)
    return None if body is None else str(body["time_zone"])


def _place(db: Connection, row: Row) -> CdrLocation:
    """As it was called when the Session began there; what was not kept is called what it is called now."""
    if row["cdr_location"] is not None:
        return CdrLocation.model_validate(row["cdr_location"])
    body = table.location_of(db, row)
    assert body is not None
    return terms.called(body, row["evse_uid"], row["connector_id"])


def _add(
    db: Connection, record: CDR, session_pk: int, whose: Row, now: datetime, credits: int | None = None
) -> int | None:
    """Seal it and owe it to the partner, with those that have to be told before it; None when it is there already."""
    row = {name: whose[name] for name in ("cpo", "partner", "from_country", "from_party")} | {
        "cdr_id": record.id,
        "session": session_pk,
        "credits": credits,
        "body": record.wire(),
        "last_updated": now,
        "created_at": now,
    }
    made = table.add(db, row)
    if made is not None:
        for earlier in table.before(db, made):
            pushes.owe_untold(db, row["partner"], ModuleID.CDRS, earlier, now)
        pushes.owe(db, row["partner"], ModuleID.CDRS, made, now)
    return made


def _negative(price: Price) -> Price:
    vat = price.incl_vat
    return Price(excl_vat=Decimal(0) - price.excl_vat, incl_vat=None if vat is None else Decimal(0) - vat)
