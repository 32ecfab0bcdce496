"""The whitelist: what a stored token allows by itself, and when its eMSP is asked (mod_tokens §WhitelistType)."""

from dataclasses import dataclass

from ocpi.tokens import Token, WhitelistType


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the eMSP is asked, and what counts when it is not, or says nothing."""

    ask: bool
    allowed: bool


def judge(token: Token) -> Verdict:
    """``valid`` never spares a question that the whitelist asks for; an invalid token is allowed by a new word only."""
    match token.whitelist:
        case WhitelistType.ALWAYS:
            return Verdict(ask=False, allowed=token.valid)
        case WhitelistType.ALLOWED:
            return Verdict(ask=not token.valid, allowed=token.valid)
        case WhitelistType.ALLOWED_OFFLINE:
            return Verdict(ask=True, allowed=token.valid)
        case WhitelistType.NEVER:
            return Verdict(ask=True, allowed=False)
