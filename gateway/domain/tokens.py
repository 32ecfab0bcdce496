"""What a station is told of an eMSP's token, and for how long a command has authorised it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from ocpi.tokens import Token, TokenType
from ocpp_bridge.orders import IdToken

#: How long the eMSP is not asked about a card that a command brought (mod_commands §ReserveNow, §StartSession).
COMMAND_WINDOW = timedelta(minutes=15)

_IDENTIFIER = re.compile(r"[A-Za-z0-9*\-_=:+|@.]+")
_ISO15693 = re.compile(r"[0-9A-Fa-f]{16}")


def id_token(token: Token, longest: int, alias: Callable[[str], str]) -> IdToken:
    """A card's own number where it fits, else the alias we keep for this eMSP's token.

    A card must match what the reader reads; any other uid is the eMSP's own choice, and two eMSPs may choose the same.
    ``longest`` is the station's limit in characters (1.6: 20, 2.0.1: 36, 2.1: 255).
    """
    if token.type is TokenType.RFID and len(token.uid) <= longest and _IDENTIFIER.fullmatch(token.uid):
        return IdToken(value=token.uid, type="ISO15693" if _ISO15693.fullmatch(token.uid) else "ISO14443")
    return IdToken(value=alias(f"{token.type}:{token.uid}"), type="Central")


def group_token(token: Token, alias: Callable[[str], str]) -> IdToken | None:
    """The token's group, always an alias: a group's name is the eMSP's own choice too."""
    return IdToken(value=alias(f"group:{token.group_id}"), type="Central") if token.group_id else None


def authorized_until(token: Token, received_at: datetime) -> datetime | None:
    """Until when the eMSP is not asked; None: never (APP_USER, AD_HOC_USER). OTHER is treated as a card is."""
    if token.type in {TokenType.APP_USER, TokenType.AD_HOC_USER}:
        return None
    return received_at + COMMAND_WINDOW
