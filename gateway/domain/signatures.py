"""Signatures: the signed meter values of a charge's beginning and end, as a CDR tells them."""

import base64
import binascii
from collections.abc import Sequence

from pydantic import ValidationError

from ocpi.cdrs import SignedData, SignedValue
from ocpi.sessions import NOT_AVAILABLE
from ocpp_bridge.events import Reading, Signed

_BEGIN, _END = "Transaction.Begin", "Transaction.End"


def signed_data(readings: Sequence[Reading]) -> SignedData | None:
    """What a driver can check the energy with (mod_cdrs §SignedData); None when the meter has signed neither end.

    What does not fit into a CDR is left out: half of a signature is worth nothing.
    """
    begin, end = _signed_at(_BEGIN, readings[:-1]), _signed_at(_END, readings[::-1])
    told = [one for one in (begin, end) if one is not None]
    try:
        return SignedData(
            encoding_method=next((one.encoding for one in told if one.encoding), NOT_AVAILABLE),
            public_key=next((one.public_key for one in told if one.public_key), None),
            signed_values=tuple(_value(nature, one) for nature, one in (("Start", begin), ("End", end)) if one),
        )
    except ValidationError:
        return None


def _signed_at(context: str, outermost_first: Sequence[Reading]) -> Signed | None:
    """The one of that context, else of the outermost reading."""
    known = (one.signed for one in outermost_first if one.context == context and one.signed)
    return next(known, outermost_first[0].signed if outermost_first else None)


def _value(nature: str, signed: Signed) -> SignedValue:
    """A station says Base64 (2.x SignedMeterValueType) or what its meter wrote (1.6 SignedData)."""
    plain = _decoded(signed.data)
    if plain is not None:
        return SignedValue(nature=nature, plain_data=plain, signed_data=signed.data)
    written = base64.b64encode(signed.data.encode()).decode()
    return SignedValue(nature=nature, plain_data=signed.data, signed_data=written)


def _decoded(data: str) -> str | None:
    """The text in Base64; None when it is none, or no text is in it."""
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return text if text.isprintable() else None
