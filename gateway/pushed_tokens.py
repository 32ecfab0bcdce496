"""Pushed tokens, the story: an eMSP tells us of its tokens, and sees what it has told (mod_tokens §Receiver)."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from gateway.domain.parties import Partner
from gateway.house import utc_now
from gateway.store import tokens
from ocpi.headers import Party
from ocpi.status import InvalidParameters, UnknownToken
from ocpi.tokens import Token, TokenType, complete_token
from ocpi.types import fold
from ocpi.wrong import told


class Outcome(Enum):
    """What became of what was told."""

    CREATED = auto()
    CHANGED = auto()
    #: What is known is newer, and stays.
    OUTDATED = auto()


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which token a URL names."""

    partner: Partner
    owner: Party
    uid: str
    #: None: the URL does not say, which means RFID where nothing else does.
    type: TokenType | None

    @property
    def meant_type(self) -> TokenType:
        return self.type or TokenType.RFID


def known(db: Connection, place: Place) -> Token | None:
    """What was told of it; what only a command brought is not known here (mod_commands §StartSession)."""
    row = tokens.find_token(db, place.partner.id, place.owner, place.uid, place.meant_type)
    return None if row is None else Token.model_validate(row["body"])


def put(db: Connection, model: type[Token], place: Place, body: Any) -> Outcome:
    """The whole token, which may be a new one. Raises InvalidParameters."""
    if place.partner.lenient_token and isinstance(body, dict):
        body = complete_token({"uid": place.uid, "type": place.meant_type} | body, place.owner, utc_now())
    token = _read(model, place, body)
    is_new = tokens.find_token(db, place.partner.id, place.owner, token.uid, token.type) is None
    if not tokens.put_token(db, place.partner.id, token):
        return Outcome.OUTDATED
    return Outcome.CREATED if is_new else Outcome.CHANGED


def patch(db: Connection, model: type[Token], place: Place, body: Any) -> Outcome:
    """What has changed of a token. Raises InvalidParameters, UnknownToken."""
    if not isinstance(body, dict) or body.get("last_updated") is None:
        raise InvalidParameters("last_updated: a PATCH needs it")
    before = known(db, place)
    if before is None:
        raise UnknownToken
    token = _read(model, place, before.wire() | body)
    return Outcome.CHANGED if tokens.put_token(db, place.partner.id, token) else Outcome.OUTDATED


def _read(model: type[Token], place: Place, body: Any) -> Token:
    """The body's token, which is the URL's."""
    try:
        token = model.model_validate(body)
    except ValidationError as wrong:
        raise InvalidParameters(told(wrong)) from None
    if token.owner != place.owner:
        raise InvalidParameters("country_code, party_id: not those of the URL")
    if fold(token.uid) != fold(place.uid):
        raise InvalidParameters("uid: not that of the URL")
    if place.type is not None and token.type != place.type:
        raise InvalidParameters("type: not that of the URL, which says RFID if it says nothing")
    return token
