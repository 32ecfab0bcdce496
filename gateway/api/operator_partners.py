"""Partners in the operator API: invited or sought, seen, suspended, given new tokens, and let go."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from sqlalchemy import Connection

from gateway import registering, registration, shown_partner, token_sync
from gateway.api.operator_asked import Invited, Pull, Sought
from gateway.api.operator_edge import problems
from gateway.api.operator_models import Page
from gateway.api.operator_orders import After, Limit, TheOffice, missing
from gateway.api.operator_partner_models import Connected, Ended, Invitation, Pulled, WholeConnected
from gateway.domain.lifecycle import PartnerState
from gateway.domain.parties import Partner
from gateway.house import Rules, utc_now
from gateway.outgoing.guard import UrlRefused, plain_host
from gateway.store import partners

router = APIRouter(prefix="/partners", tags=["partners"])

Which = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("")
async def list_partners(office: TheOffice, limit: Limit = 50, after: After = None) -> Page[Connected]:
    """The newest first, removed ones too."""
    return await office.store.read(_page, limit, after)


@router.get("/{partner}", responses=problems(404))
async def show_partner(office: TheOffice, partner: Which) -> WholeConnected:
    """Its parties, where it is called, what is forgiven to it, and which tokens it may show; never the tokens."""
    return await office.store.read(_whole, partner)


@router.post("/invitations", status_code=201, responses=problems(404, 409))
async def invite_partner(office: TheOffice, invited: Invited) -> Invitation:
    """A token A, for a partner to register with; told once. `again`: for one of that name that is there already."""
    return await office.store.write(_invite, office.rules, invited)


@router.post("/registrations", status_code=201, responses=problems(409))
async def register_with_partner(office: TheOffice, sought: Sought) -> WholeConnected:
    """Register with a partner that has invited us; the same again for what was left in doubt."""
    try:
        name = sought.name or plain_host(sought.versions_url)
    except UrlRefused as refusal:
        raise HTTPException(400, f"versions_url: {refusal}") from None
    done = await registering.register(office, name, sought.versions_url, sought.token)
    return await office.store.read(_whole, done.id)


@router.post("/{partner}/rotate", responses=problems(404, 409))
async def rotate_tokens(office: TheOffice, partner: Which) -> WholeConnected:
    """New tokens both ways, and whatever is new in versions, endpoints and parties."""
    await registering.rotate(office, await office.store.read(_known, partner))
    return await office.store.read(_whole, partner)


@router.post("/{partner}/suspend", responses=problems(404, 409))
async def suspend_partner(office: TheOffice, partner: Which) -> Connected:
    """Let it in no more, until it is resumed."""
    return await office.store.write(_become, partner, PartnerState.SUSPENDED)


@router.post("/{partner}/resume", responses=problems(404, 409))
async def resume_partner(office: TheOffice, partner: Which) -> Connected:
    """Let a suspended one in again."""
    return await office.store.write(_become, partner, PartnerState.ACTIVE)


@router.delete("/{partner}", responses=problems(404, 409))
async def remove_partner(office: TheOffice, partner: Which) -> Ended:
    """End the connection on both sides; what the partner did is kept."""
    problem = await registering.unregister(office, await office.store.read(_known, partner))
    return Ended(id=partner, problem=problem)


@router.post("/{partner}/token-pull", responses=problems(404, 409))
async def pull_tokens(office: TheOffice, partner: Which, pull: Pull) -> Pulled:
    """Pull its tokens: what has changed since the last time, or all of them."""
    done = await token_sync.sync(office, await office.store.read(_known, partner), again=pull.again)
    return Pulled(taken=done.taken, skipped=done.skipped)


def _page(db: Connection, limit: int, after: int | None) -> Page[Connected]:
    found = [one for one in reversed(partners.everyone(db)) if after is None or one.id < after]
    told = [shown_partner.partner(db, one) for one in found[:limit]]
    following = str(found[limit - 1].id) if len(found) > limit else None
    return Page[Connected].model_validate({"items": told, "next": following})


def _whole(db: Connection, partner: int) -> WholeConnected:
    return WholeConnected.model_validate(shown_partner.whole_partner(db, _known(db, partner), utc_now()))


def _known(db: Connection, partner: int) -> Partner:
    found = partners.find(db, partner)
    if found is None:
        raise missing(f"partner {partner}")
    return found


def _invite(db: Connection, rules: Rules, invited: Invited) -> Invitation:
    registration.ours(rules, partners.cpos(db), "-")  # what they would be refused for later is told now
    known = partners.by_name(db, invited.name)
    if known is not None and (not invited.again or known.state == PartnerState.SUSPENDED):
        raise HTTPException(409, f"There is a partner {known.name!r} already (id {known.id}, {known.state}).")
    if known is None and invited.again:
        raise missing(f"partner {invited.name!r}")
    token = registration.invite(db, rules, invited.name, known, utc_now())
    return Invitation(versions_url=registration.versions_url(rules), token=token)


def _become(db: Connection, partner: int, wanted: PartnerState) -> Connected:
    one = _known(db, partner)
    if not partners.become(db, partner, wanted):
        raise HTTPException(409, f"{one.name} is {one.state} and cannot become {wanted}.")
    return Connected.model_validate(shown_partner.partner(db, _known(db, partner)))
