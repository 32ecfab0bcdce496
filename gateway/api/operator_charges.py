"""Charges in the operator API: Sessions, the CDRs that they became, and how one is taken back."""

from fastapi import APIRouter, HTTPException, Response
from sqlalchemy import Connection

from gateway import cdrs, shown
from gateway.api.operator_asked import Correction, Name
from gateway.api.operator_edge import problems
from gateway.api.operator_models import CdrEntry, Credited, Page, SessionEntry, WholeCdr, WholeSession
from gateway.api.operator_orders import (
    PREFIX,
    After,
    Limit,
    PartnerQuery,
    TheOffice,
    missing,
    names_of,
    next_after,
    partner_of,
)
from gateway.domain.lifecycle import SessionState
from gateway.house import utc_now
from gateway.sessions import view
from gateway.store import cdrs as billed
from gateway.store import sessions
from gateway.store.prepared import Row

router = APIRouter(tags=["charges"])


@router.get("/sessions")
async def list_sessions(
    office: TheOffice,
    partner: PartnerQuery = None,
    state: SessionState | None = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[SessionEntry]:
    """Partners' Sessions, and strangers' charges."""
    return await office.store.read(_sessions, partner, state, limit, after)


@router.get("/sessions/{session_id}", responses=problems(404))
async def show_session(office: TheOffice, session_id: Name) -> WholeSession:
    """With the OCPI object that its partner is told."""
    return await office.store.read(_session, session_id)


@router.get("/cdrs")
async def list_cdrs(
    office: TheOffice, partner: PartnerQuery = None, limit: Limit = 50, after: After = None
) -> Page[CdrEntry]:
    """CDRs, and Credit CDRs."""
    return await office.store.read(_cdrs, partner, limit, after)


@router.get("/cdrs/{cdr_id}", responses=problems(404, 409))
async def show_cdr(office: TheOffice, cdr_id: Name) -> WholeCdr:
    """As it was sealed."""
    return await office.store.read(_cdr, cdr_id)


@router.post("/cdrs/{cdr_id}/credit", status_code=201, responses=problems(404, 409))
async def credit_cdr(office: TheOffice, response: Response, cdr_id: Name, wanted: Correction) -> Credited:
    """Take it back with a Credit CDR; its partner is told the reason."""
    made = await office.store.write(_credit, cdr_id, wanted)
    response.headers["Location"] = f"{PREFIX}/cdrs/{made.credit}"
    return made


def _sessions(
    db: Connection, partner: str | None, state: str | None, limit: int, after: int | None
) -> Page[SessionEntry]:
    found = sessions.listed(db, partner=partner_of(db, partner), state=state, after=after, most=limit + 1)
    names = names_of(db)
    told = [shown.session(row, names) for row in found[:limit]]
    return Page[SessionEntry].model_validate({"items": told, "next": next_after(found, limit)})


def _session(db: Connection, session_id: str) -> WholeSession:
    row = sessions.named(db, session_id)
    if row is None:
        raise missing(f"session {session_id!r}")
    whole = sessions.whole(db, row["id"]) if row["cdr_token"] is not None else None
    made = [one["cdr_id"] for one in billed.of_session(db, row["id"])]
    more = {"told": None if whole is None else view(db, whole), "cdrs": made}
    return WholeSession.model_validate(shown.session(row, names_of(db)) | more)


def _cdrs(db: Connection, partner: str | None, limit: int, after: int | None) -> Page[CdrEntry]:
    found = billed.listed(db, partner_of(db, partner), limit + 1, after)
    names = names_of(db)
    told = [shown.cdr(row, names) for row in found[:limit]]
    return Page[CdrEntry].model_validate({"items": told, "next": next_after(found, limit)})


def _cdr(db: Connection, cdr_id: str) -> WholeCdr:
    row = _named(db, cdr_id)
    return WholeCdr.model_validate(shown.cdr(row, names_of(db)) | {"body": row["body"]})


def _credit(db: Connection, cdr_id: str, wanted: Correction) -> Credited:
    row, now = _named(db, cdr_id), utc_now()
    taken_back = cdrs.credit(db, row["id"], wanted.reason, now)
    instead = cdrs.replace(db, row["id"], now) if wanted.again else None
    again = None if instead is None else billed.by_pk(db, instead)["cdr_id"]
    return Credited(credit=billed.by_pk(db, taken_back)["cdr_id"], again=again)


def _named(db: Connection, cdr_id: str) -> Row:
    found = billed.named(db, cdr_id)
    if not found:
        raise missing(f"CDR {cdr_id!r}")
    if len(found) > 1:
        raise HTTPException(409, f"Several of our parties have a CDR {cdr_id!r}.")
    return found[0]
